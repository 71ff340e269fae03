/*
 * store/attempt.c: the end of an attempt: what becomes of a chunk's records.
 *
 * A chunk is one attempt of its records.  At its end each record has a result, and those that
 * are worth another attempt move to a new chunk, with a fresh intent.  Their results stay, as
 * the history of the record.  An attempt that ends without an answer was not billed: its result
 * costs 0 (the default of the column), and the ledger counts the record.
 */
#include "postgres.h"

#include "store/attempt.h"
#include "store/counts.h"
#include "store/history.h"
#include "store/spend.h"
#include "store/sql.h"

/* Inserts what a CTE "n" has counted into the ledger: nothing of it was billed. */
#define INSERT_FREE(job, chunk) \
	BI_SPEND_INSERT(job, chunk, "records", "g.n", \
					"(SELECT NULL::text AS model, n.n FROM n WHERE n.n > 0) g")

int64
bi_attempt_rest(const BiChunk *chunk, BiOutcome outcome, bool retryable, const char *code,
				const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_outcome_name(outcome));
	bi_sql_arg_bool(&args, retryable);
	bi_sql_arg_text(&args, code);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_bool(&args, chunk->attempts_left > 0);
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_run("WITH ins AS (INSERT INTO batchinf.result"
			   "   (job_id, seq, attempt, chunk_id, outcome, retryable, error_code, error)"
			   "  SELECT r.job_id, r.seq, r.attempt, r.chunk_id, $2, $3, $4, $5"
			   "  FROM batchinf.record r WHERE r.chunk_id = $1"
			   "  ON CONFLICT (job_id, seq, attempt) DO NOTHING RETURNING outcome, retryable),"
			   " n AS (SELECT count(*) AS n," BI_COUNTS_OUTCOMES("NOT (retryable AND $6)") ","
			   BI_COUNTS_ANSWERS " FROM ins),"
			   " spent AS (" INSERT_FREE("$7", "$1") ")"
			   " UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_OUTCOMES "," BI_COUNTS_ADD_ANSWERS
			   " FROM n WHERE c.chunk_id = $1 RETURNING n.n", &args);
	return bi_sql_int8(0, 1);
}

/* Moves records of chunk to a new one.  records: a SELECT of (job_id, seq), whose $1 is the
 * chunk's id; attempts: how many more attempts they have had.  Returns how many. */
static int64
move_records(const BiChunk *chunk, const char *records, int attempts)
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
	bi_sql_run(psprintf("WITH moved AS (UPDATE batchinf.record r SET chunk_id = $2, attempt = $3"
						"  FROM (%s) x WHERE r.job_id = x.job_id AND r.seq = x.seq RETURNING 1),"
						" n AS (SELECT count(*) AS n FROM moved)"
						" UPDATE batchinf.chunk c SET retried = c.retried + n.n FROM n"
						" WHERE c.chunk_id = $1 RETURNING n.n", records), &args);
	fresh.records = bi_sql_int8(0, 1);
	if (fresh.records == 0)
		return 0;
	fresh.bytes = chunk->bytes * fresh.records / Max(chunk->records, 1);
	fresh.tokens = chunk->tokens * fresh.records / Max(chunk->records, 1);
	bi_chunk_insert(&fresh);
	return fresh.records;
}

/* The results that wait for the end of the attempt, because they may be sent again. */
#define RETRYABLE_RESULTS \
	"SELECT r.job_id, r.seq, s.outcome FROM batchinf.record r JOIN batchinf.result s" \
	" ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt" \
	" WHERE r.chunk_id = $1 AND s.chunk_id = $1 AND s.retryable"

int64
bi_attempt_settle(const BiChunk *chunk, bool again)
{
	BiArgs		args = {0};

	bi_history_add(chunk);
	if (chunk->attempts_left == 0)
		return 0;
	if (again)
		return move_records(chunk, RETRYABLE_RESULTS, 1);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_run("WITH n AS (SELECT" BI_COUNTS_OUTCOMES("true") " FROM (" RETRYABLE_RESULTS ") x)"
			   " UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_OUTCOMES
			   " FROM n WHERE c.chunk_id = $1", &args);
	return 0;
}

void
bi_attempt_repeat(const BiChunk *chunk, const char *code, const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, code);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_run("WITH ins AS (INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome,"
			   "   output, output_json, finish_reason, model, error_code, error, request_id,"
			   "   reasoning)"
			   "  SELECT r.job_id, r.seq, r.attempt, r.chunk_id, COALESCE(p.outcome, 'errored'),"
			   "   p.output, COALESCE(p.output_json, false), p.finish_reason, p.model,"
			   "   COALESCE(p.error_code, $2), COALESCE(p.error, $3), p.request_id, p.reasoning"
			   "  FROM batchinf.record r LEFT JOIN LATERAL (SELECT * FROM batchinf.result s"
			   "   WHERE s.job_id = r.job_id AND s.seq = r.seq AND s.attempt < r.attempt"
			   "   ORDER BY s.attempt DESC LIMIT 1) p ON true"
			   "  WHERE r.chunk_id = $1"
			   "  ON CONFLICT (job_id, seq, attempt) DO NOTHING RETURNING outcome),"
			   " n AS (SELECT count(*) AS n," BI_COUNTS_OUTCOMES("true") " FROM ins),"
			   " spent AS (" INSERT_FREE("$4", "$1") ")"
			   " UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_OUTCOMES
			   " FROM n WHERE c.chunk_id = $1", &args);
}

int64
bi_attempt_resend(const BiChunk *chunk)
{
	return move_records(chunk,
						"SELECT r.job_id, r.seq FROM batchinf.record r WHERE r.chunk_id = $1"
						" AND NOT EXISTS (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id"
						"  AND s.seq = r.seq AND s.attempt = r.attempt)", 0);
}
