/*
 * provider/shape/chat.c: answers in the shape of chat completions.
 *
 * OpenAI defined it; servers like OpenAI's answer in it, and Bedrock returns it from the makers
 * whose own API has it (Mistral, DeepSeek).  Knows the body of an answer and no envelope.  A body
 * may hold anything: what is not understood becomes an outcome, never an error.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/shape/chat.h"
#include "provider/wire.h"

void
bi_chat_read_counts(const BiJson *body, BiAnswer *answer)
{
	const BiJson *usage = bi_json_at(body, "usage", NULL);

	answer->model = bi_wire_json_words(bi_json_at(body, "model", NULL), BI_WIRE_CODE);
	answer->input_tokens = bi_answer_count(bi_json_at(usage, "prompt_tokens", NULL));
	answer->cached_tokens =
		bi_answer_count(bi_json_at(usage, "prompt_tokens_details", "cached_tokens", NULL));
	answer->cache_write_tokens =
		bi_answer_count(bi_json_at(usage, "prompt_tokens_details", "cache_write_tokens", NULL));
	answer->output_tokens = bi_answer_count(bi_json_at(usage, "completion_tokens", NULL));
}

bool
bi_chat_join(const BiJson *parts, StringInfo out, const BiJson **refusal)
{
	bool		any = false;

	for (int i = 0; i < bi_json_length(parts); i++)
	{
		const BiJson *part = bi_json_item(parts, i);
		size_t		len;
		const char *text = bi_json_string(bi_json_at(part, "text", NULL), &len);

		if (bi_json_at(part, "refusal", NULL))
			*refusal = bi_json_at(part, "refusal", NULL);
		if (text == NULL)
			continue;
		appendBinaryStringInfo(out, text, (int) len);
		any = true;
	}
	return any;
}

/* Makes the message's text the output; sets *refusal, which stands beside or in it. */
static void
read_content(BiAnswer *answer, const BiJson *message, const BiJson **refusal)
{
	const BiJson *content = bi_json_at(message, "content", NULL);
	size_t		len;
	const char *text = bi_json_string(content, &len);
	StringInfoData joined;

	*refusal = bi_json_at(message, "refusal", NULL);
	initStringInfo(&joined);
	if (text)
		appendBinaryStringInfo(&joined, text, (int) len);
	else if (bi_json_type(content) != BI_JSON_ARRAY || !bi_chat_join(content, &joined, refusal))
		return;
	bi_answer_set_text(answer, joined.data, joined.len);
}

/* Makes the calls of tools the output if there is no text or a blank one. */
static void
read_tool_calls(BiAnswer *answer, const BiJson *message)
{
	const BiJson *calls = bi_json_at(message, "tool_calls", NULL);

	if (bi_json_type(calls) == BI_JSON_ARRAY && bi_json_length(calls) > 0 &&
		bi_answer_is_blank(answer))
		bi_answer_set_json(answer, calls);
}

/* Returns why the model stopped.  Mistral's models at Bedrock call it stop_reason.  At other
 * servers that may be the text that stopped it, so it counts only without a finish_reason. */
static char *
finish_reason_of(const BiJson *choice)
{
	char	   *reason =
		bi_wire_json_words(bi_json_at(choice, "finish_reason", NULL), BI_WIRE_CODE);
	const BiJson *other = bi_json_at(choice, "stop_reason", NULL);

	if (reason == NULL && bi_json_type(other) == BI_JSON_STRING)
		reason = bi_wire_json_words(other, BI_WIRE_CODE);
	return reason;
}

void
bi_chat_read(const BiJson *body, BiAnswer *answer)
{
	/* OpenAI's words, and those of servers that speak its API. */
	static const char *const good[] = {
		"stop", "tool_calls", "function_call", "eos", "eos_token", "stop_sequence", "end_turn",
		"tool_use", "complete", NULL
	};
	const BiJson *choice = bi_json_item(bi_json_at(body, "choices", NULL), 0);
	const BiJson *message = bi_json_at(choice, "message", NULL);
	const BiJson *refusal;
	char	   *refused;

	bi_chat_read_counts(body, answer);
	answer->finish_reason = finish_reason_of(choice);
	read_content(answer, message, &refusal);
	read_tool_calls(answer, message);
	refused = bi_json_type(refusal) == BI_JSON_STRING ? bi_wire_json_words(refusal, BI_WIRE_MESSAGE)
		: NULL;
	if (refused)
		bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, "refusal", refused);
	else
		bi_answer_judge(answer, good);
}
