/*
 * provider/answer.c: what all providers do alike with an answer, in a line of a results file or
 * in a reply.
 *
 * Knows outputs, and what the reasons mean by which a model ended; no API's shapes.
 *
 * Decided here: an answer that is cut, filtered or refused is an invalid output and keeps what text
 * there is.  Reasons that are not known end the same way, with the reason as the code.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/answer.h"
#include "provider/reasoning.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

void
bi_answer_fail(BiAnswer *answer, BiOutcome outcome, bool retryable, const char *code,
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
	bi_answer_fail(answer, BI_OUTCOME_ERRORED, false, "unreadable_line", message);
}

void
bi_answer_begin(const BiCall *call, BiAnswer *answer)
{
	memset(answer, 0, sizeof(BiAnswer));
	answer->reasoning_tags = call->server->reasoning_tags;
	answer->input_tokens = answer->cached_tokens = answer->output_tokens = -1;
	answer->cache_write_tokens = answer->cache_write_1h_tokens = -1;
}

BiJson *
bi_answer_parse(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	bool		repaired;
	BiJson	   *json = bi_json_parse_lenient(text, len, &repaired);

	memset(line, 0, sizeof(BiResultLine));
	bi_answer_begin(call, &line->answer);
	if (json && repaired)
		line->state = BI_LINE_REPAIRED;
	if (json)
		return json;
	line->state = BI_LINE_UNREADABLE;
	fail_line(&line->answer, "the provider's line cannot be read");
	return NULL;
}

BiJson *
bi_answer_read(const BiCall *call, const char *text, size_t len, const char *name,
			   BiResultLine *line)
{
	const char *const path[] = {name, NULL};
	BiJson	   *json = bi_answer_parse(call, text, len, line);

	line->custom_id = json ? bi_json_cstring(bi_json_get(json, name))
		: bi_salvage_string(text, len, path);
	if (json && line->custom_id)
		return json;
	if (json)
		fail_line(&line->answer, psprintf("the line has no %s", name));
	return NULL;
}

BiJson *
bi_answer_open(const BiCall *call, const BiExchange *ex, BiVerdict *verdict, BiResultLine *line)
{
	BiJson	   *json = bi_answer_parse(call, ex->body.data, ex->body.len, line);

	if (verdict->kind == BI_VERDICT_OK && bi_json_type(json) != BI_JSON_OBJECT)
		*verdict = bi_verdict_unexpected(ex, "an answer");
	return verdict->kind == BI_VERDICT_OK ? json : NULL;
}

/* What a filter of prompts stops is an invalid output, as what a filter of answers stops. */
void
bi_answer_deny(BiAnswer *answer, const BiVerdict *verdict)
{
	if (bi_words_equal(verdict->code, "content_filter"))
		bi_answer_invalid(answer, verdict->code, verdict->message);
	else
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, verdict->kind != BI_VERDICT_REFUSED,
					   verdict->code, verdict->message);
}

void
bi_answer_invalid(BiAnswer *answer, const char *code, const char *message)
{
	bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, code, message);
}

/* Outputs */

static void
set_output(BiAnswer *answer, char *output, size_t len, bool is_json)
{
	answer->output = output;
	answer->output_len = len;
	answer->output_is_json = is_json;
}

/* Returns a copy of len bytes, which may hold NUL, with a NUL after them. */
static char *
copy_bytes(const char *text, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void
bi_answer_set_text(BiAnswer *answer, const char *text, size_t len)
{
	BiReasoning split = bi_reasoning_split(text, len, answer->reasoning_tags);

	set_output(answer, copy_bytes(split.answer, split.answer_len), split.answer_len, false);
	answer->reasoning = split.thought_len > 0 ? copy_bytes(split.thought, split.thought_len) : NULL;
	answer->reasoning_len = split.thought_len;
}

void
bi_answer_set_json(BiAnswer *answer, const BiJson *json)
{
	char	   *text = bi_json_text(json);

	set_output(answer, text, strlen(text), true);
}

void
bi_answer_append(StringInfo list, const BiJson *value)
{
	appendStringInfoChar(list, list->len > 0 ? ',' : '[');
	bi_json_append(list, value);
}

void
bi_answer_set_list(BiAnswer *answer, StringInfo list)
{
	if (list->len == 0)
		return;
	appendStringInfoChar(list, ']');
	set_output(answer, list->data, list->len, true);
}

bool
bi_answer_is_blank(const BiAnswer *answer)
{
	return answer->output == NULL || strspn(answer->output, " \t\r\n\v\f") == answer->output_len;
}

/* Why the model ended */

#define CUT "the output was cut off at the limit of tokens"
#define CUT_BY_WINDOW "the output was cut off at the end of the model's context window"
#define FILTERED "the output was withheld or cut by the content filter"
#define MALFORMED "the model's output is malformed"
#define PAUSED "the model paused: its tools want another turn, which a batch does not have"

/* The reasons of all APIs for an answer that is not whole, and one code for those alike. */
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

/* Returns a code for a reason that we do not know, such as "finish_reason:abort". */
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
		bi_answer_invalid(answer, reasons[i].code, message);
		return;
	}
	/* Google has reasons of its own for a picture that was withheld. */
	if (pg_strncasecmp(reason, "image_", strlen("image_")) == 0)
		bi_answer_invalid(answer, "content_filter", psprintf("%s: %s", FILTERED, reason));
	else
		bi_answer_invalid(answer, code_of_reason(reason),
						  psprintf("the model ended with %s", reason));
}

void
bi_answer_judge(BiAnswer *answer, const char *const *good)
{
	if (answer->finish_reason && !bi_words_list_anycase(good, answer->finish_reason))
		fail_reason(answer, answer->finish_reason);
	else if (bi_answer_is_blank(answer))
		bi_answer_invalid(answer, "no_output", "the answer holds no output");
	else
		answer->outcome = BI_OUTCOME_SUCCEEDED;
}

void
bi_answer_judge_embedding(BiAnswer *answer, const BiJson *values)
{
	bool		good = bi_json_type(values) == BI_JSON_ARRAY && bi_json_length(values) > 0;

	for (int i = 0; good && i < bi_json_length(values); i++)
	{
		BiJsonType	type = bi_json_type(bi_json_item(values, i));

		good = type == BI_JSON_INT || type == BI_JSON_DOUBLE;
	}
	if (!good)
	{
		bi_answer_invalid(answer, "no_output", "the answer holds no embedding of numbers");
		return;
	}
	bi_answer_set_json(answer, values);
	answer->outcome = BI_OUTCOME_SUCCEEDED;
}

int64
bi_answer_count(const BiJson *json)
{
	return Max(bi_json_int(json, -1), -1);
}
