/*
 * store/result.c: the table batchinf.result.
 *
 * Results go in by groups, each group with its counts in one statement, so that a user's open
 * transaction or a crash never leaves one without the other.  What is delivered twice changes
 * nothing.  Knows no provider, and not how a target row is written.
 */
#include "postgres.h"

#include "base/guc.h"
#include "catalog/pg_type.h"
#include "store/counts.h"
#include "store/members.h"
#include "store/result.h"
#include "store/spend.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"

static bytea *
read_guard(MemoryContext cxt, int64 row, int col)
{
	bool		isnull;
	Datum		guard = bi_sql_datum(row, col, &isnull);
	MemoryContext old;
	bytea	   *copy;

	if (isnull)
		return NULL;
	old = MemoryContextSwitchTo(cxt);
	copy = DatumGetByteaPCopy(guard);
	MemoryContextSwitchTo(old);
	return copy;
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
	/* A record that was sent again has left the chunk, but its result has not.  The LIMIT makes
	 * it one look into the index for each record, however many rows the planner expects. */
	rows = bi_sql_run("SELECT u.i, r.record_id, r.key, r.delivered, r.guard, r.columns"
					  " FROM unnest($3) WITH ORDINALITY u(seq, i), LATERAL"
					  " (SELECT r.record_id, r.key, r.guard, r.columns, r.chunk_id = $2 AS here,"
					  "   EXISTS (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id"
					  "    AND s.seq = r.seq AND s.chunk_id = $2) AS delivered"
					  "  FROM batchinf.record r WHERE r.job_id = $1 AND r.seq = u.seq LIMIT 1) r"
					  " WHERE r.here OR r.delivered", &args);
	for (int64 row = 0; row < rows; row++)
	{
		BiResult   *result = &results[bi_sql_int8(row, 1) - 1];

		result->known = true;
		result->record_id = bi_sql_text(cxt, row, 2);
		result->key = bi_sql_texts(cxt, row, 3);
		result->delivered = bi_sql_bool(row, 4);
		result->guard = read_guard(cxt, row, 5);
		result->columns = bi_sql_texts(cxt, row, 6);
	}
}

/* Adds the numbers of items at an offset of each result; NULL for one that is not written item by
 * item. */
static void
arg_items(BiArgs *args, const BiResult *const *results, int n, size_t offset)
{
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc(sizeof(bool) * (n + 1));

	for (int i = 0; i < n; i++)
	{
		nulls[i] = results[i]->items == NULL;
		values[i] = Int32GetDatum(*(const int *) ((const char *) results[i] + offset));
	}
	bi_sql_arg_array(args, INT4OID, values, nulls, n);
}

static void
arg_outcomes(BiArgs *args, const BiResult *const *results, int n)
{
	const char **words = palloc(sizeof(char *) * (n + 1));

	for (int i = 0; i < n; i++)
		words[i] = bi_outcome_name(results[i]->answer.outcome);
	bi_member_words(args, words, n);
}

static void
arg_write_states(BiArgs *args, const BiResult *const *results, int n)
{
	const char **words = palloc(sizeof(char *) * (n + 1));

	for (int i = 0; i < n; i++)
		words[i] = bi_outcome_write_name(results[i]->write_state);
	bi_member_words(args, words, n);
}

/* Adds the old values and the fingerprints of the rows that are written.  Those of rows that are
 * known by their primary keys are in batchinf.written. */
static void
arg_old(BiArgs *args, const BiResult *const *results, int n)
{
	const char **old = palloc0(sizeof(char *) * (n + 1));
	Datum	   *prints = palloc(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc(sizeof(bool) * (n + 1));

	for (int i = 0; i < n; i++)
	{
		bool		is_here = results[i]->write_state == BI_WRITE_WRITTEN &&
			results[i]->row_key == NIL;

		old[i] = is_here ? results[i]->old : NULL;
		nulls[i] = !is_here || results[i]->print == NULL;
		prints[i] = PointerGetDatum(results[i]->print);
	}
	bi_member_words(args, old, n);
	bi_sql_arg_array(args, BYTEAOID, prints, nulls, n);
}

/* Adds all that a row of batchinf.result takes from its answer and its write, as $5 to $28. */
static void
arg_results(BiArgs *args, const BiResult *const *results, int n)
{
	bi_member_int8s(args, results, n, offsetof(BiResult, seq));
	arg_outcomes(args, results, n);
	bi_member_bools(args, results, n, offsetof(BiResult, answer.retryable));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.output));
	bi_member_bools(args, results, n, offsetof(BiResult, answer.output_is_json));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.finish_reason));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.model));
	bi_member_int8s(args, results, n, offsetof(BiResult, answer.input_tokens));
	bi_member_int8s(args, results, n, offsetof(BiResult, answer.cached_tokens));
	bi_member_int8s(args, results, n, offsetof(BiResult, answer.output_tokens));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.error_code));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.error));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.request_id));
	arg_write_states(args, results, n);
	bi_member_texts(args, results, n, offsetof(BiResult, write_error));
	bi_member_texts(args, results, n, offsetof(BiResult, answer.reasoning));
	arg_items(args, results, n, offsetof(BiResult, nitems));
	arg_items(args, results, n, offsetof(BiResult, items_failed));
	arg_old(args, results, n);
	bi_member_int8s(args, results, n, offsetof(BiResult, answer.cache_write_tokens));
	bi_member_int8s(args, results, n, offsetof(BiResult, answer.cache_write_1h_tokens));
	bi_member_amounts(args, results, n, offsetof(BiResult, cost));
	bi_member_amounts(args, results, n, offsetof(BiResult, realtime_cost));
	bi_member_bools(args, results, n, offsetof(BiResult, is_wasted));
}

/*
 * The statement that inserts results, counts them and writes the ledger; booked: its rows by the
 * models that are paid.
 *
 * It locks the chunk first.  If its job is being deleted, either the DELETE waits and its trigger
 * sees these rows, or no chunk is found and nothing is inserted.
 */
#define INSERT_RESULTS(booked) \
	"WITH ins AS (INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id," \
	"   outcome, retryable, output, output_json, finish_reason, model," \
	"   input_tokens, cached_tokens, output_tokens, error_code, error, request_id," \
	"   write_state, write_error, reasoning, items, items_failed," \
	"   old, print, cache_write_tokens, cache_write_1h_tokens, cost, realtime_cost," \
	"   wasted)" \
	"  SELECT $1, u.seq, $3, $2," \
	"   u.outcome, u.retryable, u.output, u.output_json, u.finish_reason, u.model," \
	"   u.input_tokens, u.cached_tokens, u.output_tokens, u.error_code, u.error," \
	"   u.request_id, u.write_state, u.write_error, u.reasoning, u.items," \
	"   u.items_failed, u.old, u.print, u.cache_write_tokens, u.cache_write_1h_tokens," \
	"   u.cost, u.realtime_cost, u.wasted" \
	"  FROM unnest($5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18," \
	"   $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)" \
	"   AS u(seq, outcome, retryable, output, output_json, finish_reason, model," \
	"   input_tokens, cached_tokens, output_tokens," \
	"   error_code, error, request_id, write_state, write_error, reasoning, items," \
	"   items_failed, old, print, cache_write_tokens, cache_write_1h_tokens, cost," \
	"   realtime_cost, wasted)," \
	"  (SELECT FROM batchinf.chunk c WHERE c.chunk_id = $2 FOR NO KEY UPDATE) c" \
	"  ON CONFLICT (job_id, seq, attempt) DO NOTHING" \
	"  RETURNING seq, outcome, retryable, input_tokens, cached_tokens," \
	"   cache_write_tokens, cache_write_1h_tokens, output_tokens, cost, realtime_cost," \
	"   wasted, write_state)," \
	" spent AS (" BI_SPEND_INSERT("$1", "$2", BI_COUNTS_MONEY_COLUMNS, \
									 BI_COUNTS_MONEY_VALUES, booked) ")," \
	" n AS (SELECT count(*) AS n," BI_COUNTS_MONEY "," \
	"  count(*) FILTER (WHERE write_state = 'waiting') AS write_waiting," \
	BI_COUNTS_OUTCOMES("NOT (retryable AND $4)") "," BI_COUNTS_ANSWERS "," \
	BI_COUNTS_WRITES " FROM ins)" \
	" UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_OUTCOMES "," BI_COUNTS_ADD_ANSWERS "," \
	BI_COUNTS_ADD_WRITES "," BI_COUNTS_ADD_MONEY "," \
	"  write_waiting = c.write_waiting + n.write_waiting," \
	"  write_at = CASE WHEN n.write_waiting > 0" \
	"   THEN LEAST(c.write_at, now() + interval '1 second') ELSE c.write_at END" \
	" FROM n WHERE c.chunk_id = $2 RETURNING n.n"

/* All have the same model, $30, as they mostly do; or each has its own. */
#define BOOKED_AS_ONE \
	"(SELECT $30 AS model, count(*) AS n," BI_COUNTS_MONEY " FROM ins HAVING count(*) > 0) g"
#define BOOKED_EACH \
	"(SELECT b.model, count(*) AS n," BI_COUNTS_MONEY " FROM ins" \
	" JOIN unnest($5, $30) b(seq, model) ON b.seq = ins.seq GROUP BY b.model) g"

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
is_booked_as_one(const BiResult *const *results, int n)
{
	for (int i = 1; i < n; i++)
		if (!is_same(results[i]->booked_as, results[0]->booked_as))
			return false;
	return true;
}

bool
bi_result_insert(const BiChunk *chunk, const BiResult *results, int n)
{
	int64		updated;
	const BiResult **fresh = palloc(sizeof(BiResult *) * (n + 1));
	int			nfresh = 0;
	BiArgs		args = {0};

	for (int i = 0; i < n; i++)
		if (results[i].known && !results[i].delivered)
			fresh[nfresh++] = &results[i];
	if (nfresh == 0)
		return true;
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_bool(&args, chunk->attempts_left > 0);
	arg_results(&args, fresh, nfresh);
	if (is_booked_as_one(fresh, nfresh))
	{
		bi_sql_arg_text(&args, fresh[0]->booked_as);
		updated = bi_sql_rerun(INSERT_RESULTS(BOOKED_AS_ONE), &args);
	}
	else
	{
		bi_member_texts(&args, fresh, nfresh, offsetof(BiResult, booked_as));
		updated = bi_sql_run(INSERT_RESULTS(BOOKED_EACH), &args);
	}
	return updated > 0 && bi_sql_int8(0, 1) == nfresh;
}

void
bi_result_compare(const BiChunk *chunk, const BiResult *results, bool *differs, int n)
{
	const BiResult **all = palloc(sizeof(BiResult *) * (n + 1));
	BiArgs		args = {0};
	int64		rows;

	for (int i = 0; i < n; i++)
	{
		all[i] = &results[i];
		differs[i] = false;
	}
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_member_int8s(&args, all, n, offsetof(BiResult, seq));
	bi_member_texts(&args, all, n, offsetof(BiResult, answer.output));
	bi_member_texts(&args, all, n, offsetof(BiResult, answer.request_id));
	bi_member_int8s(&args, all, n, offsetof(BiResult, answer.input_tokens));
	bi_member_int8s(&args, all, n, offsetof(BiResult, answer.output_tokens));
	rows = bi_sql_run("SELECT u.i FROM unnest($3, $4, $5, $6, $7) WITH ORDINALITY"
					  "  u(seq, output, request_id, input_tokens, output_tokens, i), LATERAL"
					  " (SELECT s.* FROM batchinf.result s WHERE s.job_id = $1 AND s.seq = u.seq"
					  "  AND s.chunk_id = $2 LIMIT 1) s"
					  " WHERE (s.output, s.request_id, s.input_tokens, s.output_tokens)"
					  "  IS DISTINCT FROM (u.output, u.request_id, u.input_tokens,"
					  "   u.output_tokens)", &args);
	for (int64 i = 0; i < rows; i++)
		differs[bi_sql_int8(i, 1) - 1] = true;
}

int
bi_result_waiting(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int limit)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int4(&args, limit);
	bi_sql_arg_int8(&args, chunk->write_tries);
	n = bi_sql_run("SELECT " BI_RESULT_WAITING " FROM batchinf.result s"
				   " JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq"
				   " WHERE s.chunk_id = $1 AND s.write_state = 'waiting'"
				   " ORDER BY hashint8extended(s.seq, $3), s.seq LIMIT $2", &args);
	bi_result_read_waiting(cxt, results, (int) n);
	return (int) n;
}

void
bi_result_read_waiting(MemoryContext cxt, BiResult *results, int n)
{
	for (int i = 0; i < n; i++)
	{
		BiResult   *result = &results[i];
		Datum		value;
		bool		isnull;

		memset(result, 0, sizeof(BiResult));
		result->seq = bi_sql_int8(i, 1);
		result->answer.outcome = bi_outcome_parse(bi_sql_text(cxt, i, 2));
		result->answer.output = bi_sql_text(cxt, i, 3);
		result->answer.output_is_json = bi_sql_bool(i, 4);
		result->record_id = bi_sql_text(cxt, i, 5);
		result->key = bi_sql_texts(cxt, i, 6);
		result->guard = read_guard(cxt, i, 8);
		result->overdue = bi_sql_int8(i, 7) >= bi_guc_write_give_up;
		result->columns = bi_sql_texts(cxt, i, 9);
		value = bi_sql_datum(i, 10, &isnull);
		if (!isnull)
			result->value = *DatumGetUUIDP(value);
		result->known = true;
	}
}

bool
bi_result_rewritten(const BiChunk *chunk, const BiResult *results, int n, int64 delay_ms)
{
	const BiResult **all = palloc(sizeof(BiResult *) * (n + 1));
	BiArgs		args = {0};
	int64		updated;

	for (int i = 0; i < n; i++)
		all[i] = &results[i];
	bi_sql_arg_int8(&args, chunk->id);
	bi_member_int8s(&args, all, n, offsetof(BiResult, seq));
	arg_write_states(&args, all, n);
	bi_member_texts(&args, all, n, offsetof(BiResult, write_error));
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	arg_items(&args, all, n, offsetof(BiResult, nitems));
	arg_items(&args, all, n, offsetof(BiResult, items_failed));
	arg_old(&args, all, n);
	updated = bi_sql_run("WITH up AS (UPDATE batchinf.result s"
			   "  SET write_state = u.write_state, write_error = u.write_error,"
			   "   items = u.items, items_failed = u.items_failed, old = u.old,"
			   "   print = u.print"
			   "  FROM unnest($2, $3, $4, $6, $7, $8, $9)"
			   "   AS u(seq, write_state, write_error, items, items_failed, old, print)"
			   "  WHERE s.chunk_id = $1 AND s.write_state = 'waiting' AND s.seq = u.seq"
			   "  RETURNING s.write_state),"
			   " n AS (SELECT count(*) AS n,"
			   "  count(*) FILTER (WHERE write_state <> 'waiting') AS settled,"
			   BI_COUNTS_WRITES " FROM up)"
			   " UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_WRITES ","
			   "  write_waiting = c.write_waiting - n.settled,"
			   "  write_tries = CASE WHEN n.settled > 0 THEN 0 ELSE c.write_tries + 1 END,"
			   "  write_at = clock_timestamp() + $5 * interval '1 second',"
			   "  holder_pid = NULL, holder_start = NULL,"
			   "  waiting_for = CASE WHEN c.next_step_at IS NOT NULL THEN c.waiting_for END,"
			   "  wait_kind = CASE WHEN c.next_step_at IS NOT NULL THEN c.wait_kind END"
			   " FROM n WHERE c.chunk_id = $1 RETURNING n.n", &args);
	return updated > 0 && bi_sql_int8(0, 1) == n;
}

/* Saves that these records are reverted, and returns how many it has found.  The LIMITs, and the
 * place of the row, make it one look into each index for each record, whatever the statistics
 * say.  A row that another transaction changes meanwhile is not found. */
static int64
mark_reverted(const BiArgs *args)
{
	int64		chunks = bi_sql_run("WITH up AS (UPDATE batchinf.result s"
									"   SET write_state = 'reverted', old = NULL"
									"   FROM (SELECT f.place FROM unnest($2) u(seq), LATERAL"
									"    (SELECT s.place FROM batchinf.record r, LATERAL"
									"      (SELECT s.ctid AS place FROM batchinf.result s"
									"       WHERE s.job_id = r.job_id AND s.seq = r.seq"
									"        AND s.attempt = r.attempt"
									"        AND s.write_state = 'written' LIMIT 1) s"
									"     WHERE r.job_id = $1 AND r.seq = u.seq LIMIT 1) f) u"
									"   WHERE s.ctid = u.place RETURNING s.chunk_id),"
									" n AS (SELECT chunk_id, count(*) AS n FROM up"
									"  GROUP BY chunk_id)"
									" UPDATE batchinf.chunk c SET written = c.written - n.n,"
									"   reverted = c.reverted + n.n"
									"  FROM n WHERE c.chunk_id = n.chunk_id RETURNING n.n", args);
	int64		found = 0;

	for (int64 i = 0; i < chunks; i++)
		found += bi_sql_int8(i, 1);
	return found;
}

void
bi_result_revert(int64 job_id, Datum *seqs, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	/* The job is locked, so none of them gets another state meanwhile. */
	while (n > 0)
	{
		int64		found = mark_reverted(&args);

		if (found == 0)
			elog(ERROR, "results of batch job " INT64_FORMAT " are not there any more", job_id);
		n -= (int) found;
	}
}
