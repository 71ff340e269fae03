/*
 * provider/anthropic_line.c: what a line of a results file means.
 *
 * Knows the results of a message batch and the messages in them.  A line may hold
 * anything: whatever is not understood becomes an outcome, never an error.  Called
 * through the routine table, once a line.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/anthropic.h"
#include "provider/line.h"
#include "provider/wire.h"

static bool
equals(const char *word, const char *other)
{
	return word && strcmp(word, other) == 0;
}

static bool
is_block(const BiJson *block, const char *type)
{
	return equals(bi_json_string(bi_json_at(block, "type", NULL), NULL), type);
}

/* Tokens told, -1 where they are not told or no count. */
static int64
count_of(const BiJson *usage, const char *name)
{
	return Max(bi_json_int(bi_json_at(usage, name, NULL), -1), -1);
}

/* Input is all that was read, from the cache or not, and all that was written to it: the
 * provider's own input_tokens leaves those out. */
static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	int64		input = count_of(usage, "input_tokens");
	int64		written = count_of(usage, "cache_creation_input_tokens");

	answer->cached_tokens = count_of(usage, "cache_read_input_tokens");
	answer->output_tokens = count_of(usage, "output_tokens");
	if (input >= 0 && input <= PG_INT32_MAX)
		input += Min(Max(written, 0), PG_INT32_MAX) + Min(Max(answer->cached_tokens, 0), PG_INT32_MAX);
	answer->input_tokens = input;
}

/* The text of all text blocks in one; thinking and what tools said are left out. */
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
		const char *text = is_block(block, "text") ? bi_json_string(bi_json_at(block, "text", NULL), &len) : NULL;

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
		const BiJson *block = bi_json_item(content, i);

		if (is_block(block, "tool_use"))
			bi_line_append(&calls, block);
	}
	bi_line_set_list(answer, &calls);
}

static void
refuse(BiAnswer *answer, const BiJson *details)
{
	char	   *words = bi_wire_json_words(bi_json_at(details, "explanation", NULL), BI_WIRE_MESSAGE);
	char	   *category = bi_wire_json_words(bi_json_at(details, "category", NULL), BI_WIRE_CODE);

	if (words == NULL)
		words = category ? psprintf("the model refused: %s", category) : pstrdup("the model refused");
	bi_line_fail(answer, BI_INVALID_OUTPUT, false, "refusal", words);
}

void
bi_anthropic_line_message(BiAnswer *answer, const BiJson *message)
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
		bi_line_judge(answer, good);
}

/* Faults of the request itself stay; all others may be gone the next time. */
static bool
is_lasting(const char *code)
{
	static const char *const codes[] = {
		"invalid_request_error", "not_found_error", "permission_error", "request_too_large"
	};

	for (int i = 0; i < lengthof(codes); i++)
		if (equals(code, codes[i]))
			return true;
	return false;
}

/* The whole error reply stands in the line: {"type":"error","error":{"type","message"}}. */
void
bi_anthropic_line_error(BiAnswer *answer, const BiJson *error)
{
	const BiJson *cause = bi_json_at(error, "error", NULL);
	char	   *code;
	char	   *type;
	char	   *message;

	if (bi_json_type(cause) != BI_JSON_OBJECT)
		cause = error;
	bi_anthropic_reply_words(cause, &code, &message);
	type = bi_wire_json_words(bi_json_at(cause, "type", NULL), BI_WIRE_CODE);
	answer->request_id = bi_wire_json_words(bi_json_at(error, "request_id", NULL), BI_WIRE_CODE);
	bi_line_fail(answer, BI_ERRORED, !is_lasting(type) || bi_anthropic_reply_is_billing(code, message),
		 code ? code : "unknown", message ? message : "no message");
}

static void
read_result(BiAnswer *answer, const BiJson *result)
{
	const char *type = bi_json_string(bi_json_at(result, "type", NULL), NULL);
	const BiJson *message = bi_json_at(result, "message", NULL);

	if (equals(type, "errored"))
		bi_anthropic_line_error(answer, bi_json_at(result, "error", NULL));
	else if (equals(type, "canceled"))
		bi_line_fail(answer, BI_CANCELLED_RECORD, false, "batch_cancelled", "the batch was cancelled before this request was done");
	else if (equals(type, "expired"))
		bi_line_fail(answer, BI_EXPIRED, true, "batch_expired", "the batch expired before this request was done");
	else if (bi_json_type(message) == BI_JSON_OBJECT)
		bi_anthropic_line_message(answer, message);	/* whatever it is called: it is paid for */
	else
		bi_line_fail(answer, BI_ERRORED, true, "unknown_result", "the line has no result that is known");
}

void
bi_anthropic_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiJson	   *json = bi_line_read(call, line, len, "custom_id", answer);

	if (json)
		read_result(answer, bi_json_at(json, "result", NULL));
}

/* Whose results */

/* The first line may be cut: it can be longer than what was asked for. */
bool
bi_anthropic_line_peek(const BiChunk *chunk, const char *text, size_t len, bool *ours)
{
	static const char *const path[] = {"custom_id", NULL};
	const char *end = text + len;
	const char *stop;
	char	   *id;

	while (text < end && strchr(" \t\r\n", *text) && *text)
		text++;
	stop = memchr(text, '\n', end - text);
	id = bi_salvage_string(text, (stop ? stop : end) - text, path);
	*ours = id && strncmp(id, chunk->intent, BI_NONCE_LEN) == 0 && id[BI_NONCE_LEN] == '-';
	return id != NULL;
}
