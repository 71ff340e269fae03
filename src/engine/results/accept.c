/*
 * engine/results/accept.c: makes an answer fit for our tables.
 *
 * An answer is accepted by itself: neither the line that it came in, nor the record that it
 * belongs to, nor the other answers matter.  So this is the place where a reply to a single
 * request can come in as a line of a results file does.  No SQL.
 */
#include "postgres.h"

#include "base/heft.h"
#include "base/loose.h"
#include "base/schema.h"
#include "base/utf8.h"
#include "engine/results/accept.h"
#include "engine/results/budget.h"
#include "provider/answer.h"
#include "utils/timestamp.h"

/* No request has more tokens, of one kind. */
#define TOKENS_MAX 1000000000

#define BYTES_PER_MB (1024 * 1024)

struct BiAccept
{
	const BiBlot *blot;			/* the secrets that were sent */
	BiSchema   *schema;			/* NULL if the job has none, or if it costs too much */
	char	   *schema_refused; /* why it costs too much; NULL if it does not */
	bool		late;			/* see bi_accept_is_late */
};

BiAccept *
bi_accept_new(const BiJob *job, const BiBlot *blot)
{
	BiAccept   *accept = palloc0(sizeof(BiAccept));
	const char *schema = job->spec.response_schema;

	accept->blot = blot;
	accept->schema = schema ? bi_schema_read(schema, &accept->schema_refused) : NULL;
	accept->late = !job->cancelled && job->deadline <= GetCurrentTimestamp();
	return accept;
}

bool
bi_accept_is_late(const BiAccept *accept)
{
	return accept->late;
}

static char *
without_secrets(const BiAccept *accept, char *text, size_t len)
{
	return text ? unconstify(char *, bi_blot_text(accept->blot, text, len)) : NULL;
}

static void
blot_texts(const BiAccept *accept, BiAnswer *answer)
{
	char	  **texts[] = {
		&answer->finish_reason, &answer->model, &answer->error_code, &answer->error,
		&answer->request_id
	};

	if (answer->output)
		answer->output = without_secrets(accept, answer->output,
										 Max(answer->output_len, strlen(answer->output)));
	answer->reasoning = without_secrets(accept, answer->reasoning, answer->reasoning_len);
	for (int i = 0; i < lengthof(texts); i++)
		*texts[i] = without_secrets(accept, *texts[i], *texts[i] ? strlen(*texts[i]) : 0);
}

/* Returns text with U+FFFD in place of each NUL, which a text of PostgreSQL cannot hold; text
 * itself if it has none. */
static char *
replace_nuls(char *text, size_t len)
{
	StringInfoData replaced;

	if (text == NULL || strlen(text) >= len)
		return text;
	initStringInfo(&replaced);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			appendStringInfoString(&replaced, BI_UTF8_REPLACEMENT);
		else
			appendStringInfoChar(&replaced, text[i]);
	return replaced.data;
}

/* Returns tokens, or -1 (unknown) for a count that no request can have: sums of counts must stay
 * within a bigint. */
static int64
plausible(int64 tokens)
{
	return tokens > TOKENS_MAX ? -1 : tokens;
}

/* One output against the schema. */
typedef struct Check
{
	const BiSchema *schema;
	BiAnswer   *answer;
} Check;

static void
check_value(void *arg)
{
	Check	   *check = arg;
	BiAnswer   *answer = check->answer;
	const char *json = bi_loose_json(answer->output);
	size_t		len = strlen(json);
	BiJson	   *value = bi_json_parse(json, len);
	bool		too_costly;
	char	   *mismatch;

	if (value == NULL && bi_heft_exceeds(json, len, BI_HEFT_MAX))
		bi_answer_invalid(answer, "too_costly",
						  psprintf("the output as JSON takes more than %zu MB of memory",
								   BI_HEFT_MAX / BYTES_PER_MB));
	else if (value == NULL)
		bi_answer_invalid(answer, "not_json",
						  "the output is not JSON, which the response schema asks for");
	if (value == NULL)
		return;
	mismatch = bi_schema_mismatch(check->schema, value, &too_costly);
	if (mismatch)
		bi_answer_invalid(answer, too_costly ? "too_costly" : "schema_mismatch", mismatch);
}

static void
check_schema(const BiAccept *accept, BiAnswer *answer)
{
	Check		check = {accept->schema, answer};
	char	   *exceeded;

	if (answer->outcome != BI_OUTCOME_SUCCEEDED)
		return;
	if (accept->schema_refused)
		bi_answer_invalid(answer, "too_costly",
						  psprintf("the output cannot be checked against the response schema: %s",
								   accept->schema_refused));
	if (accept->schema == NULL)
		return;
	exceeded = bi_budget_run(BI_BUDGET_SCHEMA_MS, check_value, &check);
	if (exceeded)
		bi_answer_invalid(answer, "too_costly",
						  psprintf("checking the output against the response schema takes %s",
								   exceeded));
}

void
bi_accept_answer(const BiAccept *accept, BiAnswer *answer, bool is_damaged)
{
	char	   *output;

	blot_texts(accept, answer);
	output = answer->output;
	answer->output = replace_nuls(output, answer->output_len);
	answer->reasoning = replace_nuls(answer->reasoning, answer->reasoning_len);
	answer->input_tokens = plausible(answer->input_tokens);
	answer->cached_tokens = plausible(answer->cached_tokens);
	answer->cache_write_tokens = plausible(answer->cache_write_tokens);
	answer->cache_write_1h_tokens = plausible(answer->cache_write_1h_tokens);
	answer->output_tokens = plausible(answer->output_tokens);
	if (accept->late && answer->outcome == BI_OUTCOME_CANCELLED)
		answer->outcome = BI_OUTCOME_EXPIRED;
	if (answer->output != output && answer->outcome == BI_OUTCOME_SUCCEEDED)
		bi_answer_invalid(answer, "nul_character",
						  "the output holds the character \\u0000, which text cannot");
	if (is_damaged && answer->outcome == BI_OUTCOME_SUCCEEDED)
		bi_answer_invalid(answer, "invalid_utf8", "the output holds bytes that are not UTF-8");
	check_schema(accept, answer);
}
