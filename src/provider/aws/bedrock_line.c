/*
 * provider/aws/bedrock_line.c: what a line of Bedrock's results means.
 *
 * Knows the answers of Converse, and those of the families that are asked by their own requests.  A
 * line may hold anything: whatever is not understood becomes an outcome, never an error.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/aws/bedrock_line.h"
#include "provider/shape/chat.h"
#include "provider/shape/claude_answer.h"
#include "provider/wire.h"

/* Returns the member's count of tokens; -1 if name is NULL, or the member is missing or not a
 * count. */
static int64
count_of(const BiJson *json, const char *name)
{
	return name ? bi_wire_count(bi_json_at(json, name, NULL)) : -1;
}

/* The reasons, of all families, by which a model ends a whole answer. */
static const char *const good_stops[] = {
	"end_turn", "stop_sequence", "tool_use",	/* Converse, Nova, Claude */
	"stop", "tool_calls",		/* Llama, Mistral, DeepSeek */
	"finish", "finished", "stop_criteria_met",	/* Titan */
	"complete", "tool_call",	/* Cohere */
	NULL
};

/* Answers of Converse, which are also Nova's own */

/* Sets the output to the text of all text blocks in one; reasoning is left out. */
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
		bi_answer_set_text(answer, joined.data, joined.len);
}

/* Sets the output to the tool calls, as a JSON array, if there are any: even beside text they are
 * the answer. */
static void
read_tool_calls(BiAnswer *answer, const BiJson *content)
{
	StringInfoData calls;

	initStringInfo(&calls);
	for (int i = 0; i < bi_json_length(content); i++)
	{
		const BiJson *call = bi_json_at(bi_json_item(content, i), "toolUse", NULL);

		if (call)
			bi_answer_append(&calls, call);
	}
	bi_answer_set_list(answer, &calls);
}

/* Returns how much was written to the cache for an hour: a list says it by the time to live. */
static int64
count_hour(const BiJson *usage)
{
	const BiJson *details = bi_json_at(usage, "cacheDetails", NULL);
	int64		sum = 0;

	for (int i = 0; bi_json_type(details) == BI_JSON_ARRAY && i < bi_json_length(details); i++)
	{
		const BiJson *detail = bi_json_item(details, i);
		char	   *ttl = bi_json_cstring(bi_json_at(detail, "ttl", NULL));

		if (ttl && strcmp(ttl, "1h") == 0)
			sum += Max(count_of(detail, "inputTokens"), 0);
	}
	return sum;
}

/* Reads the counts of Converse.  Input tokens are all that was read, from the cache or not, and all
 * that was written to it; inputTokens alone leaves the cache out. */
static void
read_converse_usage(BiAnswer *answer, const BiJson *usage)
{
	int64		input = count_of(usage, "inputTokens");
	int64		hour = count_hour(usage);
	int64		written = Max(count_of(usage, "cacheWriteInputTokens"), hour);

	answer->cached_tokens = count_of(usage, "cacheReadInputTokens");
	answer->output_tokens = count_of(usage, "outputTokens");
	if (input >= 0)
		input += Max(answer->cached_tokens, 0) + written;
	answer->input_tokens = input;
	answer->cache_write_tokens = written - hour;
	answer->cache_write_1h_tokens = hour;
}

static void
read_converse(BiAnswer *answer, const BiJson *output)
{
	const BiJson *content = bi_json_at(output, "output", "message", "content", NULL);

	read_converse_usage(answer, bi_json_at(output, "usage", NULL));
	answer->finish_reason = bi_wire_json_words(bi_json_at(output, "stopReason", NULL),
											   BI_WIRE_CODE);
	if (bi_json_type(content) == BI_JSON_ARRAY)
	{
		read_text(answer, content);
		read_tool_calls(answer, content);
	}
	bi_answer_judge(answer, good_stops);
}

/* Text of other families */

/* Where the text stands, and what the answer says beside it.  (Source: the pages on models'
 * parameters in Bedrock's user guide; npm @langchain/community, utils/bedrock; seen 2026-11.) */
static const struct
{
	const char *list;			/* the list whose first entry has text and stop; NULL: no list */
	const char *text;
	const char *stop;			/* the finish reason */
	const char *input;			/* the count of input tokens, beside the list; or NULL */
	const char *output;			/* the count of output tokens, beside the list; or NULL */
}			shapes[] =
{
	/* Llama */
	{NULL, "generation", "stop_reason", "prompt_token_count", "generation_token_count"},
	{"outputs", "text", "stop_reason", NULL, NULL}, /* Mistral */
	{"results", "outputText", "completionReason", "inputTextTokenCount", NULL}, /* Titan */
	{"generations", "text", "finish_reason", NULL, NULL},	/* Cohere */
	{"choices", "text", "stop_reason", NULL, NULL}, /* DeepSeek */
	{NULL, "text", "finish_reason", NULL, NULL},	/* Cohere */
	{NULL, "completion", "stop_reason", NULL, NULL},	/* Claude before messages */
};

/* Reads an answer of the first shape whose text it has; false if it has none. */
static bool
read_shape(BiAnswer *answer, const BiJson *output)
{
	for (int i = 0; i < lengthof(shapes); i++)
	{
		const char *list = shapes[i].list;
		const BiJson *place = list ? bi_json_item(bi_json_at(output, list, NULL), 0) : output;
		size_t		len;
		const char *text = bi_json_string(bi_json_at(place, shapes[i].text, NULL), &len);

		if (text == NULL)
			continue;
		bi_answer_set_text(answer, text, len);
		answer->input_tokens = count_of(output, shapes[i].input);
		answer->output_tokens = Max(count_of(output, shapes[i].output),
									count_of(place, "tokenCount"));
		answer->finish_reason = bi_wire_json_words(bi_json_at(place, shapes[i].stop, NULL),
												   BI_WIRE_CODE);
		bi_answer_judge(answer, good_stops);
		return true;
	}
	return false;
}

/* Embeddings */

/* Returns the vector, or NULL.  Titan has one, Cohere a list of them or one list for each form of
 * numbers, Nova a list of objects. */
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

/* Reads the answer of an embedding model. */
static void
read_embedding(BiAnswer *answer, const BiJson *output)
{
	answer->input_tokens = Max(count_of(output, "inputTextTokenCount"),
							   count_of(output, "inputTokenCount"));
	bi_answer_judge_embedding(answer, find_embedding(output));
}

/* Lines */

/* Reads the model's answer.  Its members say whose it is.  The model's name does not: it may be an
 * ARN of a profile. */
void
bi_bedrock_line_output(const BiCall *call, BiAnswer *answer, const BiJson *output)
{
	if (call->job->spec.task == BI_TASK_EMBEDDING)
		read_embedding(answer, output);
	else if (bi_json_at(output, "output", NULL))
		read_converse(answer, output);
	else if (bi_json_type(bi_json_at(output, "content", NULL)) == BI_JSON_ARRAY)
		bi_claude_answer_read(answer, output);
	else if (bi_json_at(bi_json_item(bi_json_at(output, "choices", NULL), 0), "message", NULL))
		bi_chat_read(output, answer);
	else if (!read_shape(answer, output))
		bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, "no_output",
					   "the answer holds no output");
}

/* Reads the error of a model that was asked and answered with an error status.  4xx lasts, so
 * another attempt would fail too; 408, 409, 424 (a model's fault) and 429 pass. */
static void
read_error(BiAnswer *answer, const BiJson *error)
{
	char	   *code = bi_wire_json_words(bi_json_at(error, "errorCode", NULL), BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(bi_json_at(error, "errorMessage", NULL),
											 BI_WIRE_MESSAGE);
	bool		number = code && strspn(code, "0123456789") == strlen(code);
	long		status = number ? strtol(code, NULL, 10) : 0;
	bool		passing = status == 408 || status == 409 || status == 424 || status == 429;
	bool		lasting = status >= 400 && status <= 499 && !passing;

	if (message == NULL)
		message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
	if (number)
		code = psprintf("http_%s", code);
	bi_answer_fail(answer, BI_OUTCOME_ERRORED, !lasting, code ? code : "unknown",
				   message ? message : "no message");
}

void
bi_bedrock_line_read(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiAnswer   *answer = &line->answer;
	BiJson	   *json = bi_answer_read(call, text, len, "recordId", line);
	const BiJson *output = bi_json_at(json, "modelOutput", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	if (json == NULL)
		return;
	if (bi_json_type(output) == BI_JSON_OBJECT)
		/* even with an error beside it: it is paid for */
		bi_bedrock_line_output(call, answer, output);
	else if (error)
		read_error(answer, error);
	else
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, true, "no_output",
					   "the line has neither an output nor an error");
}
