/*
 * provider/openai/openai_response.c: the answers of /v1/responses.
 *
 * Knows their items, states and counts of tokens; a body may hold anything.  Source: OpenAI's API
 * reference, "The response object".
 *
 * Decided here: commentary (a message whose phase says so, written on the way to the answer by
 * models that use tools) is output only if there is nothing else.  Reasoning is left out, and so
 * is what tools did that ran at the provider.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/openai/openai_reply.h"
#include "provider/openai/openai_response.h"
#include "provider/shape/chat.h"
#include "provider/wire.h"
#include "provider/words.h"

static bool
is_a(const BiJson *item, const char *type)
{
	const char *text = bi_json_string(bi_json_at(item, "type", NULL), NULL);

	return text && strcmp(text, type) == 0;
}

static bool
is_commentary(const BiJson *message)
{
	const char *phase = bi_json_string(bi_json_at(message, "phase", NULL), NULL);

	return phase && strcmp(phase, "commentary") == 0;
}

/* Makes the texts of all messages of one kind the output, joined. */
static void
read_messages(BiAnswer *answer, const BiJson *output, bool commentary, const BiJson **refusal)
{
	StringInfoData text;
	bool		any = false;

	initStringInfo(&text);
	for (int i = 0; i < bi_json_length(output); i++)
	{
		const BiJson *item = bi_json_item(output, i);

		if (is_a(item, "message") && is_commentary(item) == commentary)
			any = bi_chat_join(bi_json_at(item, "content", NULL), &text, refusal) || any;
	}
	if (any)
		bi_answer_set_text(answer, text.data, text.len);
}

/* Makes the calls of functions, which the caller is to do, the output. */
static void
read_calls(BiAnswer *answer, const BiJson *output)
{
	StringInfoData calls;

	initStringInfo(&calls);
	for (int i = 0; i < bi_json_length(output); i++)
	{
		const BiJson *item = bi_json_item(output, i);

		if (is_a(item, "function_call") || is_a(item, "custom_tool_call"))
			bi_answer_append(&calls, item);
	}
	bi_answer_set_list(answer, &calls);
}

static void
read_output(BiAnswer *answer, const BiJson *output, const BiJson **refusal)
{
	read_messages(answer, output, false, refusal);
	if (bi_answer_is_blank(answer))
		read_calls(answer, output);
	if (bi_answer_is_blank(answer))
		read_messages(answer, output, true, refusal);
}

static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	answer->input_tokens = bi_answer_count(bi_json_at(usage, "input_tokens", NULL));
	answer->cached_tokens =
		bi_answer_count(bi_json_at(usage, "input_tokens_details", "cached_tokens", NULL));
	answer->cache_write_tokens =
		bi_answer_count(bi_json_at(usage, "input_tokens_details", "cache_write_tokens", NULL));
	answer->output_tokens = bi_answer_count(bi_json_at(usage, "output_tokens", NULL));
}

/* Returns how it ended; for an answer that is incomplete, why. */
static char *
ending_of(const BiJson *body)
{
	char	   *status = bi_wire_json_words(bi_json_at(body, "status", NULL), BI_WIRE_CODE);
	char	   *reason = bi_wire_json_words(bi_json_at(body, "incomplete_details", "reason", NULL),
											BI_WIRE_CODE);

	return status && strcmp(status, "incomplete") == 0 && reason ? reason : status;
}

static void
fail(BiAnswer *answer, const BiJson *error)
{
	char	   *code = bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	bool		retryable = code == NULL || bi_openai_reply_is_transient(code, NULL) ||
		strcmp(code, "vector_store_timeout") == 0;

	bi_answer_fail(answer, BI_OUTCOME_ERRORED, retryable, code ? code : "failed",
				   message ? message : "the response failed");
}

void
bi_openai_response_read(const BiJson *body, BiAnswer *answer)
{
	static const char *const good[] = {"completed", NULL};
	const BiJson *refusal = NULL;
	char	   *refused;

	read_usage(answer, bi_json_at(body, "usage", NULL));
	answer->finish_reason = ending_of(body);
	read_output(answer, bi_json_at(body, "output", NULL), &refusal);
	refused = bi_json_type(refusal) == BI_JSON_STRING
		? bi_wire_json_words(refusal, BI_WIRE_MESSAGE) : NULL;
	if (answer->finish_reason && strcmp(answer->finish_reason, "failed") == 0)
		fail(answer, bi_json_at(body, "error", NULL));
	else if (refused)
		bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, "refusal", refused);
	else
		bi_answer_judge(answer, good);
}
