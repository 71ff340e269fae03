/*
 * store/result.c: the table batchinf.result.
 *
 * Results go in by groups, each group with its counts in one statement; what is
 * delivered twice changes nothing.  Knows no provider and not how a target row is
 * written.  Called by engine/.
 */
#include "postgres.h"

#include "base/guc.h"
#include "catalog/pg_type.h"
#include "store/result.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"

static const char *const outcome_names[BI_NOUTCOMES] = {
	"succeeded", "invalid_output", "errored", "expired", "cancelled", "missing", "skipped"
};

const char *
bi_outcome_name(BiOutcome outcome)
{
	return outcome_names[outcome];
}

static BiOutcome
parse_outcome(const char *name)
{
	for (int i = 0; i < BI_NOUTCOMES; i++)
		if (strcmp(outcome_names[i], name) == 0)
			return (BiOutcome) i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown outcome \"%s\"", name)));
}

static List *
read_key(MemoryContext cxt, int64 row, int col)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	List	   *key = NIL;
	bool		isnull;
	Datum		array = bi_sql_datum(row, col, &isnull);
	Datum	   *items;
	int			n;

	if (!isnull)
	{
		deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, &n);
		for (int i = 0; i < n; i++)
			key = lappend(key, TextDatumGetCString(items[i]));
	}
	MemoryContextSwitchTo(old);
	return key;
}

void
bi_result_lookup(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int n)
{
	BiArgs		args = {0};
	Datum	   *seqs = palloc(sizeof(Datum) * (n + 1));
	int64		rows;

	for (int i = 0; i < n; i++)
	{
		seqs[i] = Int64GetDatum(results[i].seq);
		results[i].known = false;
	}
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	/* A record that was sent again has left the chunk, but not its result.  The LIMIT keeps it
	 * a look into the index for each, however many the planner expects. */
	rows = bi_sql_run("SELECT u.i, r.record_id, r.key, r.delivered FROM unnest($3) WITH ORDINALITY u(seq, i), LATERAL"
					  " (SELECT r.record_id, r.key, r.chunk_id = $2 AS here, EXISTS (SELECT FROM batchinf.result s"
					  "   WHERE s.job_id = r.job_id AND s.seq = r.seq AND s.chunk_id = $2) AS delivered"
					  "  FROM batchinf.record r WHERE r.job_id = $1 AND r.seq = u.seq LIMIT 1) r WHERE r.here OR r.delivered", &args);
	for (int64 row = 0; row < rows; row++)
	{
		BiResult   *result = &results[bi_sql_int8(row, 1) - 1];

		result->known = true;
		result->record_id = bi_sql_text(cxt, row, 2);
		result->key = read_key(cxt, row, 3);
		result->delivered = bi_sql_bool(row, 4);
	}
}

/* n results as columns: one array argument each. */
typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
} Column;

static Column
new_column(int n)
{
	Column		column;

	column.values = palloc0(sizeof(Datum) * (n + 1));
	column.nulls = palloc0(sizeof(bool) * (n + 1));
	return column;
}

static void
arg_texts(BiArgs *args, const BiResult *const *results, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
	{
		const char *value = *(const char *const *) ((const char *) results[i] + offset);

		column.nulls[i] = value == NULL;
		if (value)
			column.values[i] = CStringGetTextDatum(value);
	}
	bi_sql_arg_array(args, TEXTOID, column.values, column.nulls, n);
}

/* Negative: not told, NULL. */
static void
arg_int8s(BiArgs *args, const BiResult *const *results, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
	{
		int64		value = *(const int64 *) ((const char *) results[i] + offset);

		column.nulls[i] = value < 0;
		column.values[i] = Int64GetDatum(value);
	}
	bi_sql_arg_array(args, INT8OID, column.values, column.nulls, n);
}

static void
arg_bools(BiArgs *args, const BiResult *const *results, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
		column.values[i] = BoolGetDatum(*(const bool *) ((const char *) results[i] + offset));
	bi_sql_arg_array(args, BOOLOID, column.values, NULL, n);
}

static void
arg_outcomes(BiArgs *args, const BiResult *const *results, int n)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
		column.values[i] = CStringGetTextDatum(bi_outcome_name(results[i]->outcome));
	bi_sql_arg_array(args, TEXTOID, column.values, NULL, n);
}

/* Counts over result rows; final is a condition that says which of them are so. */
#define OUTCOME_COUNTS(final) \
	" count(*) FILTER (WHERE outcome = 'succeeded' AND (" final ")) AS succeeded," \
	" count(*) FILTER (WHERE outcome = 'invalid_output' AND (" final ")) AS invalid_output," \
	" count(*) FILTER (WHERE outcome = 'errored' AND (" final ")) AS errored," \
	" count(*) FILTER (WHERE outcome = 'expired' AND (" final ")) AS expired," \
	" count(*) FILTER (WHERE outcome = 'cancelled' AND (" final ")) AS cancelled," \
	" count(*) FILTER (WHERE outcome = 'missing' AND (" final ")) AS missing"
#define ADD_OUTCOMES \
	" succeeded = c.succeeded + n.succeeded, invalid_output = c.invalid_output + n.invalid_output," \
	" errored = c.errored + n.errored, expired = c.expired + n.expired," \
	" cancelled = c.cancelled + n.cancelled, missing = c.missing + n.missing"
/* Of every attempt: see rate.h. */
#define ANSWER_COUNTS \
	" count(*) FILTER (WHERE outcome NOT IN ('cancelled', 'skipped')) AS answers," \
	" count(*) FILTER (WHERE outcome IN ('invalid_output', 'errored', 'expired', 'missing')) AS bad_answers"
#define ADD_ANSWERS \
	" answers = c.answers + n.answers, bad_answers = c.bad_answers + n.bad_answers"
#define WRITE_COUNTS \
	" count(*) FILTER (WHERE write_state = 'written') AS written," \
	" count(*) FILTER (WHERE write_state = 'stale') AS stale," \
	" count(*) FILTER (WHERE write_state = 'target_missing') AS target_missing," \
	" count(*) FILTER (WHERE write_state = 'write_failed') AS write_failed"
#define ADD_WRITES \
	" written = c.written + n.written, stale = c.stale + n.stale," \
	" target_missing = c.target_missing + n.target_missing, write_failed = c.write_failed + n.write_failed"

void
bi_result_insert(const BiChunk *chunk, const BiResult *results, int n)
{
	const BiResult **fresh = palloc(sizeof(BiResult *) * (n + 1));
	int			nfresh = 0;
	BiArgs		args = {0};

	for (int i = 0; i < n; i++)
		if (results[i].known && !results[i].delivered)
			fresh[nfresh++] = &results[i];
	if (nfresh == 0)
		return;
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_bool(&args, chunk->attempts_left > 0);
	arg_int8s(&args, fresh, nfresh, offsetof(BiResult, seq));
	arg_outcomes(&args, fresh, nfresh);
	arg_bools(&args, fresh, nfresh, offsetof(BiResult, retryable));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, output));
	arg_bools(&args, fresh, nfresh, offsetof(BiResult, output_json));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, finish_reason));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, model));
	arg_int8s(&args, fresh, nfresh, offsetof(BiResult, input_tokens));
	arg_int8s(&args, fresh, nfresh, offsetof(BiResult, cached_tokens));
	arg_int8s(&args, fresh, nfresh, offsetof(BiResult, output_tokens));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, error_code));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, error));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, request_id));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, write_state));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, write_error));
	arg_texts(&args, fresh, nfresh, offsetof(BiResult, reasoning));
	bi_sql_run("WITH ins AS (INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome, retryable, output, output_json,"
			   "   finish_reason, model, input_tokens, cached_tokens, output_tokens, error_code, error, request_id, write_state, write_error,"
			   "   reasoning)"
			   "  SELECT $1, u.seq, $3, $2, u.outcome, u.retryable, u.output, u.output_json, u.finish_reason, u.model,"
			   "   u.input_tokens, u.cached_tokens, u.output_tokens, u.error_code, u.error, u.request_id, u.write_state, u.write_error, u.reasoning"
			   "  FROM unnest($5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) AS u(seq, outcome, retryable, output,"
			   "   output_json, finish_reason, model, input_tokens, cached_tokens, output_tokens, error_code, error, request_id,"
			   "   write_state, write_error, reasoning),"
			   /* Locked first: where the job is being deleted, nothing is inserted behind its back. */
			   "  (SELECT FROM batchinf.chunk c WHERE c.chunk_id = $2 FOR NO KEY UPDATE) c"
			   "  ON CONFLICT (job_id, seq, attempt) DO NOTHING"
			   "  RETURNING outcome, retryable, input_tokens, cached_tokens, output_tokens, write_state),"
			   " n AS (SELECT COALESCE(sum(input_tokens), 0) AS input_tokens, COALESCE(sum(cached_tokens), 0) AS cached_tokens,"
			   "  COALESCE(sum(output_tokens), 0) AS output_tokens, count(*) FILTER (WHERE write_state = 'waiting') AS write_waiting,"
			   OUTCOME_COUNTS("NOT (retryable AND $4)") "," ANSWER_COUNTS "," WRITE_COUNTS " FROM ins)"
			   " UPDATE batchinf.chunk c SET" ADD_OUTCOMES "," ADD_ANSWERS "," ADD_WRITES ","
			   "  input_tokens = c.input_tokens + n.input_tokens, cached_tokens = c.cached_tokens + n.cached_tokens,"
			   "  output_tokens = c.output_tokens + n.output_tokens, write_waiting = c.write_waiting + n.write_waiting,"
			   "  write_at = CASE WHEN n.write_waiting > 0 THEN LEAST(c.write_at, now() + interval '1 second') ELSE c.write_at END"
			   " FROM n WHERE c.chunk_id = $2", &args);
}

int64
bi_result_rest(const BiChunk *chunk, BiOutcome outcome, bool retryable, const char *code, const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_outcome_name(outcome));
	bi_sql_arg_bool(&args, retryable);
	bi_sql_arg_text(&args, code);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_bool(&args, chunk->attempts_left > 0);
	bi_sql_run("WITH ins AS (INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome, retryable, error_code, error)"
			   "  SELECT r.job_id, r.seq, r.attempt, r.chunk_id, $2, $3, $4, $5 FROM batchinf.record r WHERE r.chunk_id = $1"
			   "  ON CONFLICT (job_id, seq, attempt) DO NOTHING RETURNING outcome, retryable),"
			   " n AS (SELECT count(*) AS n," OUTCOME_COUNTS("NOT (retryable AND $6)") "," ANSWER_COUNTS " FROM ins)"
			   " UPDATE batchinf.chunk c SET" ADD_OUTCOMES "," ADD_ANSWERS " FROM n WHERE c.chunk_id = $1 RETURNING n.n", &args);
	return bi_sql_int8(0, 1);
}

/* The records of which moves to a new chunk; which is a condition on r (and s). */
static int64
move_records(const BiChunk *chunk, const char *source, int attempts, bool count_retried)
{
	BiArgs		args = {0};
	BiChunk		fresh = *chunk;

	fresh.id = bi_chunk_reserve();
	fresh.attempt = chunk->attempt + attempts;
	fresh.attempts_left = chunk->attempts_left - attempts;
	bi_chunk_new_intent(fresh.intent);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, fresh.id);
	bi_sql_arg_int4(&args, fresh.attempt);
	bi_sql_arg_bool(&args, count_retried);
	bi_sql_run(psprintf("WITH moved AS (UPDATE batchinf.record r SET chunk_id = $2, attempt = $3 FROM (%s) x"
						"  WHERE r.job_id = x.job_id AND r.seq = x.seq RETURNING 1)"
						" UPDATE batchinf.chunk c SET retried = c.retried + CASE WHEN $4 THEN (SELECT count(*) FROM moved) ELSE 0 END"
						" WHERE c.chunk_id = $1 RETURNING (SELECT count(*) FROM moved)", source), &args);
	fresh.records = bi_sql_int8(0, 1);
	if (fresh.records == 0)
		return 0;
	fresh.bytes = chunk->bytes * fresh.records / Max(chunk->records, 1);
	fresh.tokens = chunk->tokens * fresh.records / Max(chunk->records, 1);
	bi_chunk_insert(&fresh);
	return fresh.records;
}

#define HELD_RESULTS \
	"SELECT r.job_id, r.seq, s.outcome FROM batchinf.record r JOIN batchinf.result s" \
	" ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt" \
	" WHERE r.chunk_id = $1 AND s.chunk_id = $1 AND s.retryable"

int64
bi_result_settle(const BiChunk *chunk, bool again)
{
	BiArgs		args = {0};

	if (chunk->attempts_left == 0)
		return 0;
	if (again)
		return move_records(chunk, HELD_RESULTS, 1, true);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_run("WITH n AS (SELECT" OUTCOME_COUNTS("true") " FROM (" HELD_RESULTS ") x)"
			   " UPDATE batchinf.chunk c SET" ADD_OUTCOMES " FROM n WHERE c.chunk_id = $1", &args);
	return 0;
}

void
bi_result_repeat(const BiChunk *chunk, const char *code, const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, code);
	bi_sql_arg_text(&args, error);
	bi_sql_run("WITH ins AS (INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome, output, output_json, finish_reason,"
			   "   model, error_code, error, request_id, reasoning)"
			   "  SELECT r.job_id, r.seq, r.attempt, r.chunk_id, COALESCE(p.outcome, 'errored'), p.output, COALESCE(p.output_json, false),"
			   "   p.finish_reason, p.model, COALESCE(p.error_code, $2), COALESCE(p.error, $3), p.request_id, p.reasoning"
			   "  FROM batchinf.record r LEFT JOIN LATERAL (SELECT * FROM batchinf.result s"
			   "   WHERE s.job_id = r.job_id AND s.seq = r.seq AND s.attempt < r.attempt ORDER BY s.attempt DESC LIMIT 1) p ON true"
			   "  WHERE r.chunk_id = $1 ON CONFLICT (job_id, seq, attempt) DO NOTHING RETURNING outcome),"
			   " n AS (SELECT" OUTCOME_COUNTS("true") " FROM ins)"
			   " UPDATE batchinf.chunk c SET" ADD_OUTCOMES " FROM n WHERE c.chunk_id = $1", &args);
}

int64
bi_result_resend(const BiChunk *chunk)
{
	return move_records(chunk, "SELECT r.job_id, r.seq FROM batchinf.record r WHERE r.chunk_id = $1 AND NOT EXISTS"
						" (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt)", 0, true);
}

void
bi_result_note_lines(const BiChunk *chunk, int64 duplicates, int64 unknown, int64 malformed)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, duplicates);
	bi_sql_arg_int8(&args, unknown);
	bi_sql_arg_int8(&args, malformed);
	bi_sql_run("UPDATE batchinf.chunk SET duplicates = $2, unknown = $3, malformed = $4 WHERE chunk_id = $1", &args);
}

int
bi_result_waiting(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int limit)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int4(&args, limit);
	bi_sql_arg_int8(&args, chunk->write_tries);
	bi_sql_arg_int4(&args, bi_guc_write_give_up);
	n = bi_sql_run("SELECT s.seq, s.outcome, s.output, s.output_json, r.record_id, r.key,"
				   " COALESCE(s.write_asked, s.finished_at) <= now() - $4 * interval '1 second' FROM batchinf.result s"
				   " JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq"
				   " WHERE s.chunk_id = $1 AND s.write_state = 'waiting'"
				   " ORDER BY hashint8extended(s.seq, $3), s.seq LIMIT $2", &args);
	for (int64 i = 0; i < n; i++)
	{
		memset(&results[i], 0, sizeof(BiResult));
		results[i].seq = bi_sql_int8(i, 1);
		results[i].outcome = parse_outcome(bi_sql_text(cxt, i, 2));
		results[i].output = bi_sql_text(cxt, i, 3);
		results[i].output_json = bi_sql_bool(i, 4);
		results[i].record_id = bi_sql_text(cxt, i, 5);
		results[i].key = read_key(cxt, i, 6);
		results[i].overdue = bi_sql_bool(i, 7);
		results[i].known = true;
	}
	return (int) n;
}

void
bi_result_rewritten(const BiChunk *chunk, const BiResult *results, int n, int64 delay_ms)
{
	const BiResult **all = palloc(sizeof(BiResult *) * (n + 1));
	BiArgs		args = {0};

	for (int i = 0; i < n; i++)
		all[i] = &results[i];
	bi_sql_arg_int8(&args, chunk->id);
	arg_int8s(&args, all, n, offsetof(BiResult, seq));
	arg_texts(&args, all, n, offsetof(BiResult, write_state));
	arg_texts(&args, all, n, offsetof(BiResult, write_error));
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	bi_sql_run("WITH up AS (UPDATE batchinf.result s SET write_state = u.write_state, write_error = u.write_error"
			   "  FROM unnest($2, $3, $4) AS u(seq, write_state, write_error)"
			   "  WHERE s.chunk_id = $1 AND s.write_state = 'waiting' AND s.seq = u.seq RETURNING s.write_state),"
			   " n AS (SELECT count(*) FILTER (WHERE write_state <> 'waiting') AS settled," WRITE_COUNTS " FROM up)"
			   " UPDATE batchinf.chunk c SET" ADD_WRITES ", write_waiting = c.write_waiting - n.settled,"
			   "  write_tries = CASE WHEN n.settled > 0 THEN 0 ELSE c.write_tries + 1 END, write_at = clock_timestamp() + $5 * interval '1 second',"
			   "  holder_pid = NULL, holder_start = NULL, waiting_for = CASE WHEN c.next_step_at IS NOT NULL THEN c.waiting_for END"
			   " FROM n WHERE c.chunk_id = $1", &args);
}
