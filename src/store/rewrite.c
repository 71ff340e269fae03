/*
 * store/rewrite.c: writes kept outputs to their target rows again.
 *
 * Nothing is sent and nothing is paid: the outputs are in batchinf.result.  The worker repeats
 * the writes in the same way as those of rows that were locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/chunk.h"
#include "store/keep.h"
#include "store/rewrite.h"
#include "store/sql.h"

int64
bi_rewrite_begin(const BiJob *job, Datum write_states)
{
	BiArgs		args = {0};
	int64		chunks;
	int64		rows = 0;

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg(&args, TEXTARRAYOID, write_states, false);
	bi_job_lock(job->id);
	bi_keep_require(job->id, BI_KEPT_RESULTS, "rewrite");
	/* Materialized: the states must be those of before the UPDATE.  x: values that cannot be
	 * written whole now; what is written of a value replaces all of its rows. */
	chunks = bi_sql_run("WITH x AS MATERIALIZED"
						"  (SELECT DISTINCT r.value FROM batchinf.record r"
						"   LEFT JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq"
						"    AND s.attempt = r.attempt"
						"   LEFT JOIN batchinf.chunk c ON c.chunk_id = s.chunk_id"
						"   WHERE r.job_id = $1 AND r.value IS NOT NULL"
						"    AND s.outcome IS DISTINCT FROM 'skipped'"
						"    AND NOT COALESCE(s.outcome = 'succeeded' AND s.write_state = ANY ($2)"
						"     AND c.state " BI_CHUNK_SETTLED ", false)),"
						" o AS MATERIALIZED"
						"  (SELECT s.job_id, s.seq, s.attempt, s.write_state FROM batchinf.record r"
						"   JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq"
						"    AND s.attempt = r.attempt"
						"   JOIN batchinf.chunk c ON c.chunk_id = s.chunk_id"
						"   WHERE r.job_id = $1 AND s.outcome = 'succeeded'"
						"    AND s.write_state = ANY ($2)"
						"    AND NOT EXISTS (SELECT FROM x WHERE x.value = r.value)"
						"    AND c.state " BI_CHUNK_SETTLED "),"
						" up AS (UPDATE batchinf.result s SET write_state = 'waiting',"
						"    write_error = NULL, write_asked = now()"
						"   FROM o WHERE s.job_id = o.job_id AND s.seq = o.seq"
						"    AND s.attempt = o.attempt AND s.write_state = o.write_state"
						"   RETURNING s.job_id, s.seq, s.chunk_id, o.write_state AS was),"
						/* whoever names the stale ones wishes to overwrite */
						" ow AS (UPDATE batchinf.record r SET guard = ''"
						"   FROM up WHERE up.was = 'stale' AND r.job_id = up.job_id"
						"    AND r.seq = up.seq),"
						" n AS (SELECT chunk_id, count(*) AS n,"
						"   count(*) FILTER (WHERE was = 'stale') AS stale,"
						"   count(*) FILTER (WHERE was = 'target_missing') AS target_missing,"
						"   count(*) FILTER (WHERE was = 'write_failed') AS write_failed,"
						"   count(*) FILTER (WHERE was = 'reverted') AS reverted"
						"   FROM up GROUP BY chunk_id)"
						" UPDATE batchinf.chunk c SET write_waiting = c.write_waiting + n.n,"
						"   stale = c.stale - n.stale,"
						"   target_missing = c.target_missing - n.target_missing,"
						"   write_failed = c.write_failed - n.write_failed,"
						"   reverted = c.reverted - n.reverted,"
						"   write_at = now(), write_tries = 0"
						"  FROM n WHERE c.chunk_id = n.chunk_id RETURNING n.n", &args);
	for (int64 i = 0; i < chunks; i++)
		rows += bi_sql_int8(i, 1);
	bi_chunk_hurry(job->id);
	if (rows == 0)
		return 0;
	bi_job_reopen(job->id, false);
	return rows;
}

void
bi_rewrite_records(Datum *jobs, Datum *seqs, int n)
{
	BiArgs		args = {0};
	int64		chunks;
	Datum	   *ids;

	bi_sql_arg_array(&args, INT8OID, jobs, NULL, n);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	chunks = bi_sql_run("WITH o AS MATERIALIZED"
						"  (SELECT s.job_id, s.seq, s.attempt, s.write_state"
						"   FROM unnest($1, $2) u(job_id, seq)"
						"   JOIN batchinf.record r ON r.job_id = u.job_id AND r.seq = u.seq"
						"   JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq"
						"    AND s.attempt = r.attempt"
						"   JOIN batchinf.chunk c ON c.chunk_id = s.chunk_id"
						"   WHERE s.outcome = 'succeeded'"
						"    AND s.write_state IN ('stale', 'target_missing')"
						"    AND c.state " BI_CHUNK_SETTLED "),"
						" up AS (UPDATE batchinf.result s SET write_state = 'waiting',"
						"    write_error = NULL, write_asked = now()"
						"   FROM o WHERE s.job_id = o.job_id AND s.seq = o.seq"
						"    AND s.attempt = o.attempt AND s.write_state = o.write_state"
						"   RETURNING s.chunk_id, o.write_state AS was),"
						" n AS (SELECT chunk_id, count(*) AS n,"
						"   count(*) FILTER (WHERE was = 'stale') AS stale,"
						"   count(*) FILTER (WHERE was = 'target_missing') AS target_missing"
						"   FROM up GROUP BY chunk_id)"
						" UPDATE batchinf.chunk c SET write_waiting = c.write_waiting + n.n,"
						"   stale = c.stale - n.stale,"
						"   target_missing = c.target_missing - n.target_missing,"
						"   write_at = now(), write_tries = 0"
						"  FROM n WHERE c.chunk_id = n.chunk_id RETURNING c.job_id", &args);
	ids = palloc(sizeof(Datum) * (chunks + 1));
	for (int64 i = 0; i < chunks; i++)
		ids[i] = Int64GetDatum(bi_sql_int8(i, 1));
	for (int64 i = 0; i < chunks; i++)
	{
		bi_chunk_hurry(DatumGetInt64(ids[i]));
		bi_job_reopen(DatumGetInt64(ids[i]), false);
	}
}
