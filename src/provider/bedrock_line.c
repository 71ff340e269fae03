/*
 * provider/bedrock_line.c: what a line of a results file means.
 *
 * Knows the answers of Converse and of the families that are asked by their own requests; an
 * answer tells by its members what it is.  A line may hold anything: whatever is not
 * understood becomes an outcome, never an error.  Called through the routine table, once a
 * line.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/bedrock.h"
#include "provider/line.h"
#include "provider/openai.h"
#include "provider/wire.h"

/* Tokens told, -1 where they are not told or no count. */
static int64
count_of(const BiJson *json, const char *name)
{
	int64		count = name ? bi_json_int(bi_json_at(json, name, NULL), -1) : -1;

	return count >= 0 && count <= PG_INT32_MAX ? count : -1;
}

/* Why a model stopped that gave a whole answer, in the words of all families */
static const char *const good_stops[] = {
	"end_turn", "stop_sequence", "tool_use",	/* Converse, Nova, Claude */
	"stop", "tool_calls",		/* Llama, Mistral, DeepSeek */
	"finish", "finished", "stop_criteria_met",	/* Titan */
	"complete", "tool_call",	/* Cohere */
	NULL
};

/* Converse, and Nova's own answers */

/* The text of all text blocks in one; what the model thought is left out. */
static void
read_text(BiAnswer *answer, const BiJson *content)
{
	StringInfoData joined;
	bool		any = false;

	initStringInfo(&joined);
	for (int i = 0; i < bi_json_length(content); i++)
	{
		size_t		len;
		const char *text = bi_json_string(bi_json_at(bi_json_item(content, i), "text", NULL), &len);

		if (text == NULL)
			continue;
		appendBinaryStringInfo(&joined, text, (int) len);
		any = true;
	}
	if (any)
		bi_line_set_text(answer, joined.data, joined.len);
}

/* A model that calls tools answers with the calls: then they are the output. */
static void
read_tool_calls(BiAnswer *answer, const BiJson *content)
{
	StringInfoData calls;

	initStringInfo(&calls);
	for (int i = 0; i < bi_json_length(content); i++)
	{
		const BiJson *call = bi_json_at(bi_json_item(content, i), "toolUse", NULL);

		if (call)
			bi_line_append(&calls, call);
	}
	bi_line_set_list(answer, &calls);
}

/* Input is all that was read, from the cache or not, and all that was written to it. */
static void
read_converse(BiAnswer *answer, const BiJson *output)
{
	const BiJson *content = bi_json_at(output, "output", "message", "content", NULL);
	const BiJson *usage = bi_json_at(output, "usage", NULL);
	int64		input = count_of(usage, "inputTokens");

	answer->cached_tokens = count_of(usage, "cacheReadInputTokens");
	answer->output_tokens = count_of(usage, "outputTokens");
	if (input >= 0)
		input += Max(answer->cached_tokens, 0) + Max(count_of(usage, "cacheWriteInputTokens"), 0);
	answer->input_tokens = input;
	answer->finish_reason = bi_wire_json_words(bi_json_at(output, "stopReason", NULL), BI_WIRE_CODE);
	if (bi_json_type(content) == BI_JSON_ARRAY)
	{
		read_text(answer, content);
		read_tool_calls(answer, content);
	}
	bi_line_judge(answer, good_stops);
}

/* Text of other families: where it stands, and what is told beside it */

static const struct
{
	const char *list;			/* the first of these, or NULL: the answer itself */
	const char *text;
	const char *stop;
	const char *input;			/* tokens, beside the list */
	const char *output;
}			shapes[] =
{
	{NULL, "generation", "stop_reason", "prompt_token_count", "generation_token_count"},	/* Llama */
	{"outputs", "text", "stop_reason", NULL, NULL}, /* Mistral */
	{"results", "outputText", "completionReason", "inputTextTokenCount", NULL}, /* Titan */
	{"generations", "text", "finish_reason", NULL, NULL},	/* Cohere */
	{"choices", "text", "stop_reason", NULL, NULL}, /* DeepSeek */
	{NULL, "text", "finish_reason", NULL, NULL},	/* Cohere */
	{NULL, "completion", "stop_reason", NULL, NULL},	/* Claude before messages */
};

static bool
read_shape(BiAnswer *answer, const BiJson *output)
{
	for (int i = 0; i < lengthof(shapes); i++)
	{
		const BiJson *place = shapes[i].list ? bi_json_item(bi_json_at(output, shapes[i].list, NULL), 0) : output;
		size_t		len;
		const char *text = bi_json_string(bi_json_at(place, shapes[i].text, NULL), &len);

		if (text == NULL)
			continue;
		bi_line_set_text(answer, text, len);
		answer->input_tokens = count_of(output, shapes[i].input);
		answer->output_tokens = Max(count_of(output, shapes[i].output), count_of(place, "tokenCount"));
		answer->finish_reason = bi_wire_json_words(bi_json_at(place, shapes[i].stop, NULL), BI_WIRE_CODE);
		bi_line_judge(answer, good_stops);
		return true;
	}
	return false;
}

/* Embeddings */

/* Titan has one, Cohere a list of them or one list for each form of numbers, Nova a list of objects. */
static const BiJson *
find_embedding(const BiJson *output)
{
	const BiJson *list = bi_json_at(output, "embeddings", NULL);
	const BiJson *first;

	if (list == NULL)
		return bi_json_at(output, "embedding", NULL);
	if (bi_json_type(list) == BI_JSON_OBJECT)
		list = bi_json_at(list, "float", NULL);
	first = bi_json_item(list, 0);
	return bi_json_type(first) == BI_JSON_OBJECT ? bi_json_at(first, "embedding", NULL) : first;
}

static void
read_embedding(BiAnswer *answer, const BiJson *output)
{
	answer->input_tokens = Max(count_of(output, "inputTextTokenCount"), count_of(output, "inputTokenCount"));
	bi_line_judge_embedding(answer, find_embedding(output));
}

/* Lines */

static void
read_output(const BiCall *call, BiAnswer *answer, const BiJson *output)
{
	if (call->job->spec.task == BI_TASK_EMBEDDING)
		read_embedding(answer, output);
	else if (bi_json_at(output, "output", NULL))
		read_converse(answer, output);
	else if (bi_json_type(bi_json_at(output, "content", NULL)) == BI_JSON_ARRAY)
		bi_anthropic_line_message(answer, output);
	else if (bi_json_at(bi_json_item(bi_json_at(output, "choices", NULL), 0), "message", NULL))
		bi_openai_line_body(call, output, answer);
	else if (!read_shape(answer, output))
		bi_line_fail(answer, BI_INVALID_OUTPUT, false, "no_output", "the answer holds no output");
}

/* The model was asked and answered with an error status. */
static void
read_error(BiAnswer *answer, const BiJson *error)
{
	char	   *code = bi_wire_json_words(bi_json_at(error, "errorCode", NULL), BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(bi_json_at(error, "errorMessage", NULL), BI_WIRE_MESSAGE);
	bool		number = code && strspn(code, "0123456789") == strlen(code);
	long		status = number ? strtol(code, NULL, 10) : 0;
	bool		lasting = status >= 400 && status <= 499 && status != 408 && status != 409 && status != 424 && status != 429;

	if (message == NULL)
		message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
	if (number)
		code = psprintf("http_%s", code);
	bi_line_fail(answer, BI_ERRORED, !lasting, code ? code : "unknown", message ? message : "no message");
}

void
bi_bedrock_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiJson	   *json = bi_line_read(call, line, len, "recordId", answer);
	const BiJson *output = bi_json_at(json, "modelOutput", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	if (json == NULL)
		return;
	if (bi_json_type(output) == BI_JSON_OBJECT)
		read_output(call, answer, output);	/* whatever stands beside it: it is paid for */
	else if (error)
		read_error(answer, error);
	else
		bi_line_fail(answer, BI_ERRORED, true, "no_output", "the line has neither an output nor an error");
}
