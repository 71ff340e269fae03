/*
 * store/rewrite.c: writes kept outputs to their target rows again.
 *
 * Nothing is sent and nothing is paid: the outputs are in batchinf.result.  The worker repeats
 * the writes as those of rows that were locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/chunk.h"
#include "store/rewrite.h"
#include "store/sql.h"

int64
bi_rewrite_begin(const BiJob *job, Datum write_states)
{
	BiArgs		args = {0};
	BiArgs		again = {0};
	int64		chunks;
	int64		rows = 0;

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg(&args, TEXTARRAYOID, write_states, false);
	bi_job_lock(job->id);
	chunks = bi_sql_run("WITH o AS MATERIALIZED (SELECT s.job_id, s.seq, s.attempt, s.write_state FROM batchinf.record r"
						"   JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt"
						"   JOIN batchinf.chunk c ON c.chunk_id = s.chunk_id"
						"   WHERE r.job_id = $1 AND s.outcome = 'succeeded' AND s.write_state = ANY ($2)"
						"    AND c.state IN ('cleaning', 'done', 'cancelled', 'failed')),"
						" up AS (UPDATE batchinf.result s SET write_state = 'waiting', write_error = NULL, write_asked = now()"
						"   FROM o WHERE s.job_id = o.job_id AND s.seq = o.seq AND s.attempt = o.attempt AND s.write_state = o.write_state"
						"   RETURNING s.chunk_id, o.write_state AS was),"
						" n AS (SELECT chunk_id, count(*) AS n, count(*) FILTER (WHERE was = 'stale') AS stale,"
						"   count(*) FILTER (WHERE was = 'target_missing') AS target_missing,"
						"   count(*) FILTER (WHERE was = 'write_failed') AS write_failed FROM up GROUP BY chunk_id)"
						" UPDATE batchinf.chunk c SET write_waiting = c.write_waiting + n.n, stale = c.stale - n.stale,"
						"   target_missing = c.target_missing - n.target_missing, write_failed = c.write_failed - n.write_failed,"
						"   write_at = now(), write_tries = 0 FROM n WHERE c.chunk_id = n.chunk_id RETURNING n.n", &args);
	for (int64 i = 0; i < chunks; i++)
		rows += bi_sql_int8(i, 1);
	bi_chunk_hurry(job->id);
	if (rows == 0)
		return 0;
	bi_sql_arg_int8(&again, job->id);
	bi_sql_run("UPDATE batchinf.job SET paused = paused AND ended IS NULL, ended = NULL, finished_at = NULL, error = NULL,"
			   " to_announce = false WHERE job_id = $1", &again);
	return rows;
}
