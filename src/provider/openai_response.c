/*
 * provider/openai_response.c: the answers of /v1/responses.
 *
 * Knows their items, states and counts of tokens; a body may hold anything.  Called by
 * openai_line.c, for a body that has an output.
 */
#include "postgres.h"

#include "provider/line.h"
#include "provider/openai.h"
#include "provider/wire.h"

static bool
is_a(const BiJson *item, const char *type)
{
	const char *text = bi_json_string(bi_json_at(item, "type", NULL), NULL);

	return text && strcmp(text, type) == 0;
}

/* Said on the way to the answer, as models do that use tools. */
static bool
is_commentary(const BiJson *message)
{
	const char *phase = bi_json_string(bi_json_at(message, "phase", NULL), NULL);

	return phase && strcmp(phase, "commentary") == 0;
}

/* The texts of all messages of one kind, in one. */
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
			any = bi_openai_line_join(bi_json_at(item, "content", NULL), &text, refusal) || any;
	}
	if (any)
		bi_line_set_text(answer, text.data, text.len);
}

/* The calls that the caller is to make. */
static void
read_calls(BiAnswer *answer, const BiJson *output)
{
	StringInfoData calls;

	initStringInfo(&calls);
	for (int i = 0; i < bi_json_length(output); i++)
	{
		const BiJson *item = bi_json_item(output, i);

		if (is_a(item, "function_call") || is_a(item, "custom_tool_call"))
			bi_line_append(&calls, item);
	}
	bi_line_set_list(answer, &calls);
}

/* Reasoning is left out, and so is what tools did that run at the provider. */
static void
read_output(BiAnswer *answer, const BiJson *output, const BiJson **refusal)
{
	read_messages(answer, output, false, refusal);
	if (bi_line_is_blank(answer))
		read_calls(answer, output);
	if (bi_line_is_blank(answer))
		read_messages(answer, output, true, refusal);
}

static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	answer->input_tokens = bi_openai_line_count(bi_json_at(usage, "input_tokens", NULL));
	answer->cached_tokens =
		bi_openai_line_count(bi_json_at(usage, "input_tokens_details", "cached_tokens", NULL));
	answer->output_tokens = bi_openai_line_count(bi_json_at(usage, "output_tokens", NULL));
}

/* How it ended; of an answer that is incomplete: why. */
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

	bi_line_fail(answer, BI_ERRORED,
				 code == NULL || bi_openai_reply_is_transient(code, NULL) ||
				 strcmp(code, "vector_store_timeout") == 0,
				 code ? code : "failed", message ? message : "the response failed");
}

void
bi_openai_response_body(const BiJson *body, BiAnswer *answer)
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
		bi_line_fail(answer, BI_INVALID_OUTPUT, false, "refusal", refused);
	else
		bi_line_judge(answer, good);
}
