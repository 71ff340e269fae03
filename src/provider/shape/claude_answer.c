/*
 * provider/shape/claude_answer.c: answers and errors of Claude's Messages API.
 *
 * Anthropic defined them; Bedrock and Vertex AI return them as they are, in envelopes of their own.
 * Knows the message and the error object and no envelope.  Either may hold anything: what is not
 * understood becomes an outcome, never an error.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/shape/claude_answer.h"
#include "provider/wire.h"
#include "provider/words.h"

static bool
is_block(const BiJson *block, const char *type)
{
	return bi_words_equal(bi_json_string(bi_json_at(block, "type", NULL), NULL), type);
}

/* Returns a count, or -1.  One that no request can have is cut, so that sums do not overflow. */
static int64
count_of(const BiJson *json)
{
	return Min(bi_answer_count(json), PG_INT32_MAX);
}

/* Sets what was written to the cache.  What is not named as kept for an hour is kept for five
 * minutes, as without the API's object of both.  Returns all of it; -1 if unknown. */
static int64
read_writes(BiAnswer *answer, const BiJson *usage)
{
	const BiJson *parts = bi_json_at(usage, "cache_creation", NULL);
	int64		minutes = count_of(bi_json_at(parts, "ephemeral_5m_input_tokens", NULL));
	int64		hour = count_of(bi_json_at(parts, "ephemeral_1h_input_tokens", NULL));
	int64		all = Max(count_of(bi_json_at(usage, "cache_creation_input_tokens", NULL)),
						  minutes < 0 && hour < 0 ? -1 : Max(minutes, 0) + Max(hour, 0));

	answer->cache_write_1h_tokens = hour;
	answer->cache_write_tokens = all < 0 ? -1 : all - Max(hour, 0);
	return all;
}

/* Sets the counts.  The API's own input_tokens leave out what was read from the cache and what was
 * written to it; ours are all input. */
static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	int64		input = bi_answer_count(bi_json_at(usage, "input_tokens", NULL));
	int64		written = read_writes(answer, usage);

	answer->cached_tokens = count_of(bi_json_at(usage, "cache_read_input_tokens", NULL));
	answer->output_tokens = bi_answer_count(bi_json_at(usage, "output_tokens", NULL));
	if (input >= 0 && input <= PG_INT32_MAX)
		input += Max(written, 0) + Max(answer->cached_tokens, 0);
	answer->input_tokens = input;
}

/* Makes the texts of all text blocks the output, joined; thinking and what tools said are left
 * out. */
static void
read_text(BiAnswer *answer, const BiJson *content)
{
	StringInfoData joined;
	bool		any = false;

	initStringInfo(&joined);
	for (int i = 0; i < bi_json_length(content); i++)
	{
		const BiJson *block = bi_json_item(content, i);
		size_t		len;
		const char *text = is_block(block, "text")
			? bi_json_string(bi_json_at(block, "text", NULL), &len) : NULL;

		if (text == NULL)
			continue;
		appendBinaryStringInfo(&joined, text, (int) len);
		any = true;
	}
	if (any)
		bi_answer_set_text(answer, joined.data, joined.len);
}

/* Makes the calls of tools the output, even if a text stands before them. */
static void
read_tool_calls(BiAnswer *answer, const BiJson *content)
{
	StringInfoData calls;

	initStringInfo(&calls);
	for (int i = 0; i < bi_json_length(content); i++)
	{
		const BiJson *block = bi_json_item(content, i);

		if (is_block(block, "tool_use"))
			bi_answer_append(&calls, block);
	}
	bi_answer_set_list(answer, &calls);
}

static void
refuse(BiAnswer *answer, const BiJson *details)
{
	char	   *words =
		bi_wire_json_words(bi_json_at(details, "explanation", NULL), BI_WIRE_MESSAGE);
	char	   *category = bi_wire_json_words(bi_json_at(details, "category", NULL), BI_WIRE_CODE);

	if (words == NULL)
		words = category ? psprintf("the model refused: %s", category)
			: pstrdup("the model refused");
	bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, "refusal", words);
}

void
bi_claude_answer_read(BiAnswer *answer, const BiJson *message)
{
	static const char *const good[] = {"end_turn", "stop_sequence", "tool_use", NULL};
	const BiJson *content = bi_json_at(message, "content", NULL);
	char	   *stop = bi_wire_json_words(bi_json_at(message, "stop_reason", NULL), BI_WIRE_CODE);

	answer->finish_reason = stop;
	answer->model = bi_wire_json_words(bi_json_at(message, "model", NULL), BI_WIRE_CODE);
	read_usage(answer, bi_json_at(message, "usage", NULL));
	if (bi_json_type(content) == BI_JSON_ARRAY)
	{
		read_text(answer, content);
		read_tool_calls(answer, content);
	}
	if (stop && pg_strcasecmp(stop, "refusal") == 0)
		refuse(answer, bi_json_at(message, "stop_details", NULL));
	else
		bi_answer_judge(answer, good);
}

/* True if text begins with the words, whatever the case of letters. */
static bool
begins(const char *text, const char *words)
{
	return text && pg_strncasecmp(text, words, strlen(words)) == 0;
}

/* An organization's own limit and an empty account have no code, only words. */
bool
bi_claude_answer_is_billing(const char *code, const char *message)
{
	static const char *const codes[] = {
		"billing_error", "enforced_spend_limit_reached", "contract_spend_limit_reached", NULL
	};

	return bi_words_list(codes, code) ||
		begins(message, "You have reached your specified API usage limits") ||
		begins(message, "Your credit balance is too low");
}

void
bi_claude_answer_words(const BiJson *error, char **code, char **message)
{
	*code = bi_wire_json_words(bi_json_at(error, "details", "error_code", NULL), BI_WIRE_CODE);
	if (*code == NULL)
		*code = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	*message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
}

/* True if it is a fault of the request itself; all others may be gone the next time. */
static bool
is_lasting(const char *code)
{
	static const char *const codes[] = {
		"invalid_request_error", "not_found_error", "permission_error", "request_too_large"
	};

	for (int i = 0; i < lengthof(codes); i++)
		if (bi_words_equal(code, codes[i]))
			return true;
	return false;
}

/* The error may be the whole reply: {"type":"error","error":{"type","message"}}. */
void
bi_claude_answer_fail(BiAnswer *answer, const BiJson *error)
{
	const BiJson *cause = bi_json_at(error, "error", NULL);
	char	   *code;
	char	   *type;
	char	   *message;
	bool		retryable;

	if (bi_json_type(cause) != BI_JSON_OBJECT)
		cause = error;
	bi_claude_answer_words(cause, &code, &message);
	type = bi_wire_json_words(bi_json_at(cause, "type", NULL), BI_WIRE_CODE);
	answer->request_id = bi_wire_json_words(bi_json_at(error, "request_id", NULL), BI_WIRE_CODE);
	retryable = !is_lasting(type) || bi_claude_answer_is_billing(code, message);
	bi_answer_fail(answer, BI_OUTCOME_ERRORED, retryable, code ? code : "unknown",
				   message ? message : "no message");
}

bool
bi_claude_answer_take(BiAnswer *answer, const BiJson *body)
{
	if (bi_json_equals(bi_json_at(body, "type", NULL), "error"))
		bi_claude_answer_fail(answer, body);
	else if (bi_json_at(body, "content", NULL) || bi_json_at(body, "stop_reason", NULL))
		bi_claude_answer_read(answer, body);
	else
		return false;
	return true;
}
