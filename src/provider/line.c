/*
 * provider/line.c: what all providers do alike with a line of a results file.
 *
 * Knows outputs, and what the reasons mean by which a model ended; no API's shapes.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/line.h"
#include "provider/reasoning.h"
#include "provider/wire.h"

void
bi_line_fail(BiAnswer *answer, BiOutcome outcome, bool retryable, const char *code,
			 const char *message)
{
	answer->outcome = outcome;
	answer->retryable = retryable;
	answer->error_code = pstrdup(code);
	answer->error = pstrdup(message);
}

static void
fail_line(BiAnswer *answer, const char *message)
{
	bi_line_fail(answer, BI_ERRORED, false, "unreadable_line", message);
}

BiJson *
bi_line_parse(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	bool		repaired;
	BiJson	   *json = bi_json_parse_lenient(line, len, &repaired);

	memset(answer, 0, sizeof(BiAnswer));
	answer->reasoning_tags = call->server->reasoning_tags;
	answer->input_tokens = answer->cached_tokens = answer->output_tokens = -1;
	if (json && repaired)
		answer->line = BI_LINE_REPAIRED;
	if (json)
		return json;
	answer->line = BI_LINE_UNREADABLE;
	fail_line(answer, "the provider's line cannot be read");
	return NULL;
}

BiJson *
bi_line_read(const BiCall *call, const char *line, size_t len, const char *name, BiAnswer *answer)
{
	const char *const path[] = {name, NULL};
	BiJson	   *json = bi_line_parse(call, line, len, answer);

	answer->custom_id = json ? bi_json_cstring(bi_json_get(json, name))
		: bi_salvage_string(line, len, path);
	if (json && answer->custom_id)
		return json;
	if (json)
		fail_line(answer, psprintf("the line has no %s", name));
	return NULL;
}

static void
fail_output(BiAnswer *answer, const char *code, const char *message)
{
	bi_line_fail(answer, BI_INVALID_OUTPUT, false, code, message);
}

/* Outputs */

static void
set_output(BiAnswer *answer, char *output, size_t len, bool is_json)
{
	answer->output = output;
	answer->output_len = len;
	answer->output_is_json = is_json;
}

/* What stands behind a NUL too. */
static char *
copy_bytes(const char *text, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void
bi_line_set_text(BiAnswer *answer, const char *text, size_t len)
{
	BiReasoning split = bi_reasoning_split(text, len, answer->reasoning_tags);

	set_output(answer, copy_bytes(split.answer, split.answer_len), split.answer_len, false);
	answer->reasoning = split.thought_len > 0 ? copy_bytes(split.thought, split.thought_len) : NULL;
	answer->reasoning_len = split.thought_len;
}

void
bi_line_set_json(BiAnswer *answer, const BiJson *json)
{
	char	   *text = bi_json_text(json);

	set_output(answer, text, strlen(text), true);
}

void
bi_line_append(StringInfo list, const BiJson *value)
{
	appendStringInfoChar(list, list->len > 0 ? ',' : '[');
	bi_json_append(list, value);
}

void
bi_line_set_list(BiAnswer *answer, StringInfo list)
{
	if (list->len == 0)
		return;
	appendStringInfoChar(list, ']');
	set_output(answer, list->data, list->len, true);
}

bool
bi_line_is_blank(const BiAnswer *answer)
{
	return answer->output == NULL || strspn(answer->output, " \t\r\n\v\f") == answer->output_len;
}

/* Why the model ended */

#define CUT "the output was cut off at the limit of tokens"
#define CUT_BY_WINDOW "the output was cut off at the end of the model's context window"
#define FILTERED "the output was withheld or cut by the content filter"
#define MALFORMED "the model's output is malformed"
#define PAUSED "the model paused: its tools want another turn, which a batch does not have"

/* Reasons of all APIs that end no whole answer, as one code each. */
static const struct
{
	const char *reason;
	const char *code;
	const char *message;
}			reasons[] =
{
	{"length", "length", CUT},
	{"max_tokens", "length", CUT},
	{"max_output_tokens", "length", CUT},
	{"model_length", "length", CUT_BY_WINDOW},
	{"error_limit", "length", CUT_BY_WINDOW},
	{"model_context_window_exceeded", "length", CUT_BY_WINDOW},
	{"content_filter", "content_filter", FILTERED},
	{"content_filtered", "content_filter", FILTERED},
	{"error_toxic", "content_filter", FILTERED},
	{"safety", "content_filter", FILTERED},
	{"recitation", "content_filter", FILTERED},
	{"language", "content_filter", FILTERED},
	{"blocklist", "content_filter", FILTERED},
	{"prohibited_content", "content_filter", FILTERED},
	{"spii", "content_filter", FILTERED},
	{"model_armor", "content_filter", FILTERED},
	{"guardrail_intervened", "guardrail", "a guardrail withheld or changed the output"},
	{"refusal", "refusal", "the model refused"},
	{"malformed_model_output", "malformed_output", MALFORMED},
	{"malformed_tool_use", "malformed_output", MALFORMED},
	{"malformed_function_call", "malformed_output", MALFORMED},
	{"malformed_response", "malformed_output", MALFORMED},
	{"pause_turn", "pause_turn", PAUSED},
};

/* "finish_reason:abort": a code that tells a reason of which we know no more. */
static char *
code_of_reason(const char *reason)
{
	char	   *code = psprintf("finish_reason:%s", reason);

	for (char *c = code; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return bi_wire_words(code, strlen(code), BI_WIRE_CODE);
}

static void
fail_reason(BiAnswer *answer, const char *reason)
{
	for (int i = 0; i < lengthof(reasons); i++)
	{
		const char *message = reasons[i].message;

		if (pg_strcasecmp(reason, reasons[i].reason) != 0)
			continue;
		if (pg_strcasecmp(reason, reasons[i].code) != 0)
			message = psprintf("%s: %s", message, reason);
		fail_output(answer, reasons[i].code, message);
		return;
	}
	/* A picture that was withheld has reasons of its own. */
	if (pg_strncasecmp(reason, "image_", strlen("image_")) == 0)
		fail_output(answer, "content_filter", psprintf("%s: %s", FILTERED, reason));
	else
		fail_output(answer, code_of_reason(reason), psprintf("the model ended with %s", reason));
}

static bool
is_listed(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (pg_strcasecmp(*list, word) == 0)
			return true;
	return false;
}

void
bi_line_judge(BiAnswer *answer, const char *const *good)
{
	if (answer->finish_reason && !is_listed(good, answer->finish_reason))
		fail_reason(answer, answer->finish_reason);
	else if (bi_line_is_blank(answer))
		fail_output(answer, "no_output", "the answer holds no output");
	else
		answer->outcome = BI_SUCCEEDED;
}

void
bi_line_judge_embedding(BiAnswer *answer, const BiJson *values)
{
	bool		good = bi_json_type(values) == BI_JSON_ARRAY && bi_json_length(values) > 0;

	for (int i = 0; good && i < bi_json_length(values); i++)
	{
		BiJsonType	type = bi_json_type(bi_json_item(values, i));

		good = type == BI_JSON_INT || type == BI_JSON_DOUBLE;
	}
	if (!good)
	{
		fail_output(answer, "no_output", "the answer holds no embedding of numbers");
		return;
	}
	bi_line_set_json(answer, values);
	answer->outcome = BI_SUCCEEDED;
}
