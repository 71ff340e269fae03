/*
 * provider/gemini_embedding.c: embeddings: their requests, and the vectors that come back.
 *
 * Knows an EmbedContentRequest, of which each line is {"key":…,"request":{…}}, and what is
 * done to a vector that has more dimensions than were asked for.  Called by gemini_spec.c,
 * gemini_line.c and the providers that have older models of embeddings too.
 */
#include "postgres.h"

#include <math.h>

#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/fingerprint.h"
#include "provider/gemini.h"
#include "provider/line.h"

static BiJson *
parse(const char *text)
{
	return text ? bi_json_parse(text, strlen(text)) : NULL;
}

bool
bi_gemini_embedding_is_option(const char *name)
{
	static const char *const options[] = {"taskType", "title", "outputDimensionality", "autoTruncate"};

	for (int i = 0; i < lengthof(options); i++)
		if (bi_fingerprint_same_name(name, options[i]))
			return true;
	return false;
}

bool
bi_gemini_embedding_is_size(const char *name)
{
	return bi_fingerprint_same_name(name, "outputDimensionality");
}

/* Refusals */

/* How many dimensions params ask for: 0 where they do not, -1 where that is none. */
static int64
wanted_size(const BiJson *params)
{
	const BiJson *size = bi_fingerprint_member(params, "outputDimensionality");

	return size ? Max(bi_json_int(size, -1), -1) : 0;
}

/* This model takes the task as words in the text. */
static bool
has_task_in_text(const char *model)
{
	return strstr(model, "gemini-embedding-2") != NULL;
}

static char *
refuse_params(const BiSpec *spec)
{
	BiJson	   *params = parse(spec->params);

	if (spec->params == NULL)
		return NULL;
	if (bi_json_type(params) != BI_JSON_OBJECT)
		return pstrdup("params must be a JSON object");
	if (spec->input == BI_INPUT_BODY)
		return bi_json_length(params) == 0 ? NULL : pstrdup("params cannot be used where the query returns whole bodies");
	if (bi_fingerprint_member(params, "content") || bi_fingerprint_member(params, "model"))
		return pstrdup("params may set neither \"content\" nor \"model\"");
	if (wanted_size(params) < 0 || wanted_size(params) > 100000)
		return pstrdup("params may set \"output_dimensionality\" only to a whole number from 1");
	if (has_task_in_text(spec->model) && (bi_fingerprint_member(params, "taskType") || bi_fingerprint_member(params, "title")))
		return psprintf("params may set neither \"task_type\" nor \"title\" for model \"%s\": it takes them in the text", spec->model);
	return NULL;
}

char *
bi_gemini_embedding_refuse_job(const BiSpec *spec)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return pstrdup("messages cannot be embedded");
	if (spec->response_schema)
		return pstrdup("response_schema cannot be used for embeddings");
	if (spec->system_prompt)
		return pstrdup("system_prompt cannot be used for embeddings");
	return refuse_params(spec);
}

char *
bi_gemini_embedding_refuse_input(const BiSpec *spec, const char *input)
{
	BiJson	   *body = spec->input == BI_INPUT_BODY ? parse(input) : NULL;

	if (spec->input != BI_INPUT_BODY)
		return NULL;
	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	return bi_body_refuse_without(body, "content");
}

/* As the documents of the Gemini API and of Vertex AI say.  What is asked for counts whatever the
 * API makes of it: longer vectors are cut by us. */
int
bi_gemini_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"gemini-embedding-001", 3072}, {"gemini-embedding-2", 3072}, {"text-embedding-004", 768},
		{"text-embedding-005", 768}, {"text-multilingual-embedding-002", 768}, {NULL}
	};

	return bi_embedding_size(spec, bi_fingerprint_member(parse(spec->params), "outputDimensionality"), models);
}

/* Lines */

/* The members of params that are options, or those that are not, each with a comma before it. */
static void
append_members(StringInfo out, const BiJson *params, bool options)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(params, &place, &key, &value))
	{
		if (bi_gemini_embedding_is_option(key) != options || bi_json_type(value) == BI_JSON_NULL)
			continue;
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
	}
}

static void
append_options(StringInfo out, const BiGeminiDialect *dialect, const BiJson *params)
{
	StringInfoData options;

	initStringInfo(&options);
	append_members(&options, params, true);
	if (options.len == 0)
		return;
	if (dialect->embedding_config)
		appendStringInfo(out, ",\"%s\":{%s}", dialect->embedding_config, options.data + 1);
	else
		appendStringInfoString(out, options.data);
}

void
bi_gemini_embedding_frame(const BiGeminiDialect *dialect, const BiSpec *spec, BiFrame *frame)
{
	bool		body = spec->input == BI_INPUT_BODY;
	BiJson	   *params = parse(spec->params);
	StringInfoData tail;

	initStringInfo(&tail);
	if (!body)
	{
		appendStringInfoString(&tail, "}]}");
		append_options(&tail, dialect, params);
		append_members(&tail, params, false);
		appendStringInfoChar(&tail, '}');
	}
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"key\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {pstrdup(body ? "\",\"request\":" : "\",\"request\":{\"content\":{\"parts\":[{\"text\":"),
	body ? BI_SLOT_JSON : BI_SLOT_TEXT};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}

/* Vectors */

/*
 * The first of the values, of length one again: the models are trained so that the head of a
 * vector is a smaller embedding, and that is how the API itself makes it where it does.
 */
static char *
cut_vector(const BiJson *values, int64 size)
{
	StringInfoData out;
	double		sum = 0;

	for (int64 i = 0; i < size; i++)
	{
		double		value = bi_json_double(bi_json_item(values, (int) i), 0);

		sum += value * value;
	}
	if (!isfinite(sum))
		return bi_json_text(values);
	initStringInfo(&out);
	for (int64 i = 0; i < size; i++)
		appendStringInfo(&out, "%c%.9g", i == 0 ? '[' : ',',
						 bi_json_double(bi_json_item(values, (int) i), 0) / (sum > 0 ? sqrt(sum) : 1));
	appendStringInfoChar(&out, ']');
	return out.data;
}

void
bi_gemini_embedding_read(const BiCall *call, const BiJson *values, BiAnswer *answer)
{
	int64		size = wanted_size(parse(call->job->spec.params));

	bi_line_judge_embedding(answer, values);
	if (answer->outcome != BI_SUCCEEDED || size <= 0 || size >= bi_json_length(values))
		return;
	answer->output = cut_vector(values, size);
	answer->output_len = strlen(answer->output);
}
