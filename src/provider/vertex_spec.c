/*
 * provider/vertex_spec.c: from a job to its lines, as Vertex AI has them.
 *
 * Knows which family of models has which lines, and those of the older embeddings; Gemini's
 * stand in gemini_spec.c, Claude's in anthropic_spec.c.  Called through the routine table, by
 * submit and by whoever renders lines.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/gemini.h"
#include "provider/vertex.h"

#define CLAUDE_VERSION "vertex-2023-10-16"

static const BiGeminiDialect dialect = {.labels = true, .embedding_config = "embed_content_config"};

static BiJson *
parse(const char *text)
{
	return text ? bi_json_parse(text, strlen(text)) : NULL;
}

/* Refusals */

/* Names go into URLs and resources as they are. */
static bool
is_name(const char *model)
{
	return *model != '\0' && model[strspn(model, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@:/")] == '\0' &&
		strstr(model, "//") == NULL && strstr(model, "..") == NULL && model[strlen(model) - 1] != '/' && *model != '/';
}

static char *
refuse_model(const BiSpec *spec, const BiServer *server)
{
	BiVertexFamily family = bi_vertex_model_family(spec);
	bool		embeds = family == BI_VERTEX_EMBEDDING || family == BI_VERTEX_TEXT_EMBEDDING;

	if (!is_name(spec->model))
		return psprintf("\"%s\" is no name of a model", spec->model);
	if (family == BI_VERTEX_OTHER)
		return pstrdup("batches are known of models of Google's and Anthropic's only");
	if (bi_vertex_model_is_tuned(spec->model) && strcmp(server->location, "global") == 0)
		return pstrdup("a tuned model is not to be had in location \"global\"");
	if (embeds && spec->task != BI_TASK_EMBEDDING)
		return psprintf("model \"%s\" makes embeddings: use it for the task \"embedding\"", spec->model);
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
	return bi_vertex_model_family(spec) == BI_VERTEX_CLAUDE ? bi_anthropic_spec_refuse_job(spec, server)
		: bi_gemini_spec_refuse_job(&dialect, spec);
}

char *
bi_vertex_spec_refuse_input(const BiSpec *spec, const char *input)
{
	return bi_vertex_model_family(spec) == BI_VERTEX_CLAUDE ? bi_anthropic_spec_refuse_elsewhere(spec, input, CLAUDE_VERSION)
		: bi_gemini_spec_refuse_input(spec, input);
}

/* Lines */

/* The line is the instance: {"content":"…","task_type":"…"}.  It has no place for an id.  Vectors
 * that are too long are cut by us, for the API has no place for that wish either. */
static void
frame_text_embedding(const BiSpec *spec, BiFrame *frame)
{
	BiJson	   *params = parse(spec->params);
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
	frame->part[0] = (BiFramePart) {pstrdup(body ? "" : "{\"content\":"), body ? BI_SLOT_JSON : BI_SLOT_TEXT};
	frame->part[1] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}

static void
frame_claude(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"request\":");
	bi_anthropic_spec_append_head(&head, spec, server, CLAUDE_VERSION);
	bi_anthropic_spec_append_tail(&tail, spec);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, bi_anthropic_spec_slot(spec)};
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
