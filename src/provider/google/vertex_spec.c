/*
 * provider/google/vertex_spec.c: the lines of a job at Vertex AI, and what a job may not ask for.
 *
 * Knows which family of models has which lines, and those of the older embeddings.  Gemini's stand
 * in gemini_spec.c, Claude's in anthropic_spec.c.  Publishers whose requests are not known are
 * refused at submit (source: docs.cloud.google.com, "Batch inference" and its pages on embeddings
 * and on Claude, 2026-11).
 */
#include "postgres.h"

#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_spec.h"
#include "provider/google/vertex_model.h"
#include "provider/google/vertex_spec.h"
#include "provider/shape/claude.h"
#include "provider/words.h"

static const BiGeminiDialect dialect = {.labels = true, .embedding_config = "embed_content_config"};

/* Refusals */

/* True if it can be a model's name, which goes into addresses and resources as it is. */
static bool
is_name(const char *model)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@:/";

	return *model != '\0' && model[strspn(model, letters)] == '\0' &&
		strstr(model, "//") == NULL && strstr(model, "..") == NULL &&
		*model != '/' && !bi_words_end(model, "/");
}

/* Returns why the model cannot do this job, palloc'd, or NULL. */
static char *
refuse_model(const BiSpec *spec, const BiServer *server)
{
	BiVertexFamily family = bi_vertex_model_family(spec);
	bool		embeds = family == BI_VERTEX_EMBEDDING || family == BI_VERTEX_TEXT_EMBEDDING;

	if (!is_name(spec->model))
		return psprintf("\"%s\" is not the name of a model", spec->model);
	if (family == BI_VERTEX_OTHER)
		return pstrdup("batches are known of models of Google's and Anthropic's only");
	if (bi_vertex_model_is_tuned(spec->model) && strcmp(server->location, "global") == 0)
		return pstrdup("a tuned model is not to be had in location \"global\"");
	if (embeds && spec->task != BI_TASK_EMBEDDING)
		return psprintf("model \"%s\" makes embeddings: use it for the task \"embedding\"",
						spec->model);
	if (!embeds && spec->task == BI_TASK_EMBEDDING)
		return psprintf("model \"%s\" makes no embeddings", spec->model);
	return NULL;
}

char *
bi_vertex_spec_refuse_job(const BiSpec *spec, const BiServer *server)
{
	char	   *why = refuse_model(spec, server);

	if (why)
		return why;
	if (bi_vertex_model_family(spec) == BI_VERTEX_CLAUDE)
		return bi_claude_refuse_job(spec, server);
	return bi_gemini_spec_refuse_job(&dialect, spec);
}

char *
bi_vertex_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (bi_vertex_model_family(spec) == BI_VERTEX_CLAUDE)
		return bi_claude_refuse_input(spec, input, BI_VERTEX_CLAUDE_VERSION);
	return bi_gemini_spec_refuse_input(spec, input);
}

/* Lines */

/*
 * Writes the shape of a line of the older embeddings: the instance,
 * {"content":"…","task_type":"…"}.  It has no place for an id, nor for a number of dimensions:
 * vectors that are too long are cut here (gemini_embedding.c).
 */
static void
frame_text_embedding(const BiSpec *spec, BiFrame *frame)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	bool		body = spec->input == BI_INPUT_BODY;
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;
	StringInfoData tail;

	initStringInfo(&tail);
	while (bi_json_next(params, &place, &key, &value))
	{
		if (bi_gemini_embedding_is_size(key) || bi_json_type(value) == BI_JSON_NULL)
			continue;
		appendStringInfoChar(&tail, ',');
		bi_json_append_string(&tail, key);
		appendStringInfoChar(&tail, ':');
		bi_json_append(&tail, value);
	}
	if (!body)
		appendStringInfoChar(&tail, '}');
	frame->nparts = 2;
	frame->separator = NULL;
	if (body)
		frame->part[0] = (BiFramePart) {pstrdup(""), BI_SLOT_JSON};
	else
		frame->part[0] = (BiFramePart) {pstrdup("{\"content\":"), BI_SLOT_TEXT};
	frame->part[1] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}

/* Writes the shape of a line of Claude: {"custom_id":"…","request":{…}}. */
static void
frame_claude(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"request\":");
	bi_claude_append_head(&head, spec, server, BI_VERTEX_CLAUDE_VERSION);
	bi_claude_append_tail(&tail, spec);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, bi_claude_slot(spec)};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}

void
bi_vertex_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	switch (bi_vertex_model_family(spec))
	{
		case BI_VERTEX_CLAUDE:
			frame_claude(spec, server, frame);
			break;
		case BI_VERTEX_TEXT_EMBEDDING:
			frame_text_embedding(spec, frame);
			break;
		default:
			bi_gemini_spec_frame(&dialect, spec, server, frame);
	}
}
