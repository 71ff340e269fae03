/*
 * test/fuzz/target_line.c: a provider reads a line of a results file.
 *
 * Input: a line "PROVIDER SHAPE MODEL", then the result line.
 */
#include "postgres.h"

#include "base/json.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "provider/wire.h"

static void
check_text(const char *text, size_t limit)
{
	if (text)
		fuzz_check_words(text, limit);
}

/* Fit for a text column, or for jsonb. */
static void
check_output(const BiAnswer *answer)
{
	int			len = (int) answer->output_len;

	FUZZ_CHECK(pg_encoding_verifymbstr(PG_UTF8, answer->output, len) ==
			   strnlen(answer->output, len));
	if (answer->output_is_json)
		FUZZ_CHECK(bi_json_parse(answer->output, len) != NULL);
}

static void
check_line(const BiResultLine *line)
{
	const BiAnswer *answer = &line->answer;

	FUZZ_CHECK(answer->outcome >= BI_OUTCOME_SUCCEEDED && answer->outcome <= BI_OUTCOME_CANCELLED);
	FUZZ_CHECK(!answer->retryable || answer->outcome != BI_OUTCOME_SUCCEEDED);
	FUZZ_CHECK(line->state != BI_LINE_UNREADABLE ||
			   (answer->outcome == BI_OUTCOME_ERRORED && !answer->retryable));
	if (answer->outcome == BI_OUTCOME_SUCCEEDED)
		FUZZ_CHECK((line->custom_id || line->fingerprint) && answer->output && !answer->error &&
				   !answer->error_code);
	else
		FUZZ_CHECK(answer->error && answer->error_code);
	if (answer->output)
		check_output(answer);
	FUZZ_CHECK(answer->input_tokens >= -1 && answer->cached_tokens >= -1 &&
			   answer->output_tokens >= -1);
	check_text(answer->finish_reason, BI_WIRE_CODE);
	check_text(answer->model, BI_WIRE_CODE);
	check_text(answer->error_code, BI_WIRE_CODE);
	check_text(answer->error, 2 * BI_WIRE_MESSAGE);
	check_text(answer->request_id, BI_WIRE_CODE);
}

/* It is the same however the line is written. */
static void
check_fingerprint(const BiProvider *provider, const BiCall *call, const char *line, size_t len)
{
	char	   *fingerprint = provider->batch->fingerprint(call, line, len);
	char	   *again = bi_json_text(bi_json_parse(line, len));

	if (fingerprint == NULL)
		return;
	FUZZ_CHECK(*fingerprint && again);
	again = provider->batch->fingerprint(call, again, strlen(again));
	FUZZ_CHECK(again && strcmp(fingerprint, again) == 0);
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	const BiProvider *provider = fuzz_provider(fuzz_word(&line));
	BiCall	   *call = fuzz_call(provider, &line);
	BiResultLine read;

	provider->batch->read_line(call, fuzz_rest(&input), input.len, &read);
	check_line(&read);
	if (provider->batch->fingerprint)
		check_fingerprint(provider, call, fuzz_rest(&input), input.len);
}
