/*
 * intake/alike.c: which requests are alike, so that one answer serves for both.
 *
 * Two records are alike if the same bytes go to the same place for them, their custom ids aside.
 * The frame of a job's request lines has all of these bytes except the input, so its digest and the
 * input's hash (record.input_hash) say it together.  What the frame does not have is the model,
 * which some providers take beside the lines, and what says how an answer is read.
 *
 * Decided here: by default equal requests are sent once for embeddings, and for answers of
 * temperature 0 that do not add rows.  At another temperature several answers to one prompt may be
 * what the caller is after, and so may several rows.
 */
#include "postgres.h"

#include "intake/alike.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

/* The format of a digest.  With another number no answer of earlier jobs is used again. */
#define DIGEST_FORMAT "1"

/* How deep a temperature is looked for in params: providers have it in objects of their own. */
#define DEPTH 4

static void
append_text(StringInfo out, const char *text)
{
	appendStringInfoChar(out, ' ');
	if (text)
		escape_json(out, text);
}

void
bi_alike_digest(const BiSpec *spec, const BiServer *server, const BiProvider *provider,
				uint8 *digest)
{
	BiServer	plain = *server;
	BiSpec		asked = *spec;
	BiFrame		frame = {0};
	StringInfoData text;

	/* a hint about prices changes no answer */
	plain.prompt_cache = NULL;
	asked.prompt_cache = NULL;
	provider->job->frame(&asked, &plain, &frame);
	initStringInfo(&text);
	appendStringInfo(&text, DIGEST_FORMAT " %d %d", spec->task, spec->input);
	append_text(&text, server->provider);
	append_text(&text, server->base_url);
	append_text(&text, server->region);
	append_text(&text, server->location);
	append_text(&text, server->reasoning_tags);
	append_text(&text, spec->endpoint);
	append_text(&text, spec->model);
	append_text(&text, spec->response_schema);
	for (int i = 0; i < frame.nparts; i++)
	{
		append_text(&text, frame.part[i].text);
		appendStringInfo(&text, " %d", frame.part[i].slot);
	}
	bi_digest_of(text.data, digest);
}

/* True if the value has a temperature, and each one that it has is 0. */
static bool
is_cold(const BiJson *json, int depth, bool *is_hot)
{
	bool		found = false;
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	if (depth == 0 || bi_json_type(json) != BI_JSON_OBJECT)
		return false;
	while (bi_json_next(json, &place, &key, &value))
	{
		if (strcmp(key, "temperature") != 0)
			found |= is_cold(value, depth - 1, is_hot);
		else if (bi_json_double(value, 1) == 0)
			found = true;
		else
			*is_hot = true;
	}
	return found && !*is_hot;
}

bool
bi_alike_by_default(const BiSpec *spec)
{
	bool		is_hot = false;

	if (spec->task == BI_TASK_EMBEDDING)
		return true;
	return spec->params && spec->input != BI_INPUT_BODY && !bi_spec_adds(spec) &&
		is_cold(bi_json_parse(spec->params, strlen(spec->params)), DEPTH, &is_hot);
}
