/*
 * provider/google/gemini_embedding.c: the lines of embeddings, and the vectors that come back.
 *
 * Knows an EmbedContentRequest, a line of which is {"key":…,"request":{…}}, and what is done to
 * a vector that has more dimensions than were asked for.
 */
#include "postgres.h"

#include <math.h>

#include "provider/answer.h"
#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/google/fingerprint.h"
#include "provider/google/gemini_embedding.h"
#include "provider/wire.h"

/* True if the member of that name says what the embedding is to be. */
static bool
is_option(const char *name)
{
	static const char *const options[] = {
		"taskType", "title", "outputDimensionality", "autoTruncate"
	};

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

bool
bi_gemini_embedding_is_whole(const char *name)
{
	return bi_gemini_embedding_is_size(name) || bi_fingerprint_same_name(name, "autoTruncate");
}

/* Refusals */

/* Returns how many dimensions params ask for: 0 if they do not, -1 if it is not a number of
 * them. */
static int64
wanted_size(const BiJson *params)
{
	const BiJson *size = bi_fingerprint_member(params, "outputDimensionality");

	return size ? Max(bi_json_int(size, -1), -1) : 0;
}

/* True if the model takes task and title as words in the text (source: docs.cloud.google.com,
 * "Batch embeddings", 2026-11). */
static bool
has_task_in_text(const char *model)
{
	return strstr(model, "gemini-embedding-2") != NULL;
}

/* Returns why params cannot be used, palloc'd, or NULL. */
static char *
refuse_params(const BiSpec *spec)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	char	   *why = bi_body_refuse_params(spec, params);

	if (why || spec->params == NULL || spec->input == BI_INPUT_BODY)
		return why;
	if (bi_fingerprint_member(params, "content") || bi_fingerprint_member(params, "model"))
		return pstrdup("params may set neither \"content\" nor \"model\"");
	if (wanted_size(params) < 0 || wanted_size(params) > 100000)
		return pstrdup("params may set \"output_dimensionality\" only to a whole number from 1");
	if (has_task_in_text(spec->model) &&
		(bi_fingerprint_member(params, "taskType") || bi_fingerprint_member(params, "title")))
		return psprintf("params may set neither \"task_type\" nor \"title\" for model \"%s\": "
						"it takes them in the text", spec->model);
	return NULL;
}

char *
bi_gemini_embedding_refuse_job(const BiSpec *spec)
{
	char	   *why = bi_embedding_refuse_job(spec);

	return why ? why : refuse_params(spec);
}

char *
bi_gemini_embedding_refuse_input(const BiSpec *spec, const char *input)
{
	BiJson	   *body = spec->input == BI_INPUT_BODY ? bi_json_parse_cstring(input) : NULL;

	if (spec->input != BI_INPUT_BODY)
		return NULL;
	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	return bi_body_refuse_without(body, "content");
}

/* Sources: the pages on embeddings at ai.google.dev and docs.cloud.google.com, 2026-11.  What is
 * asked for counts, whatever the API makes of it: longer vectors are cut here. */
int
bi_gemini_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"gemini-embedding-001", 3072}, {"gemini-embedding-2", 3072}, {"text-embedding-004", 768},
		{"text-embedding-005", 768}, {"text-multilingual-embedding-002", 768}, {NULL}
	};

	const BiJson *params = bi_json_parse_cstring(spec->params);

	return bi_embedding_size(spec, bi_fingerprint_member(params, "outputDimensionality"), models);
}

/* Lines */

/* Appends the options among params, in the member config if that is not NULL. */
static void
append_options(StringInfo out, const char *config, const BiJson *params)
{
	StringInfoData options;

	initStringInfo(&options);
	bi_wire_append_chosen(&options, params, is_option, true);
	if (options.len == 0)
		return;
	if (config)
		appendStringInfo(out, ",\"%s\":{%s}", config, options.data + 1);
	else
		appendStringInfoString(out, options.data);
}

BiSlot
bi_gemini_embedding_slot(const BiSpec *spec)
{
	return spec->input == BI_INPUT_BODY ? BI_SLOT_JSON : BI_SLOT_TEXT;
}

void
bi_gemini_embedding_append(const char *config, const BiSpec *spec, StringInfo head, StringInfo tail)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);

	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(head, "{\"content\":{\"parts\":[{\"text\":");
	appendStringInfoString(tail, "}]}");
	append_options(tail, config, params);
	bi_wire_append_chosen(tail, params, is_option, false);
	appendStringInfoChar(tail, '}');
}

void
bi_gemini_embedding_frame(const char *config, const BiSpec *spec, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"request\":");
	bi_gemini_embedding_append(config, spec, &head, &tail);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"key\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, bi_gemini_embedding_slot(spec)};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}

/* Vectors */

/*
 * Returns the first size values as a vector of length one again, as JSON, palloc'd.  The models are
 * trained so that the head of a vector is a smaller embedding, and the API itself makes one so.
 * Vertex AI's batches return all dimensions whatever was asked for (source: a program that runs
 * against the service, 2026-11).
 */
static char *
cut_vector(const BiJson *values, int64 size)
{
	StringInfoData out;
	double		sum = 0;
	double		length;

	for (int64 i = 0; i < size; i++)
	{
		double		value = bi_json_double(bi_json_item(values, (int) i), 0);

		sum += value * value;
	}
	if (!isfinite(sum))
		return bi_json_text(values);
	initStringInfo(&out);
	length = sum > 0 ? sqrt(sum) : 1;
	for (int64 i = 0; i < size; i++)
		appendStringInfo(&out, "%c%.9g", i == 0 ? '[' : ',',
						 bi_json_double(bi_json_item(values, (int) i), 0) / length);
	appendStringInfoChar(&out, ']');
	return out.data;
}

void
bi_gemini_embedding_read(const BiCall *call, const BiJson *values, BiAnswer *answer)
{
	int64		size = wanted_size(bi_json_parse_cstring(call->job->spec.params));

	bi_answer_judge_embedding(answer, values);
	if (answer->outcome != BI_OUTCOME_SUCCEEDED || size <= 0 || size >= bi_json_length(values))
		return;
	answer->output = cut_vector(values, size);
	answer->output_len = strlen(answer->output);
}
