/*
 * store/rate.c: how large a share of a job's answers failed, and what follows.
 *
 * The counts are the sum over its chunks, less what it was when the count began (in the job).
 * The job's row is locked only to pause it, and never waited for.  Called by engine/, and by
 * api/ when its owner lets it go on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/event.h"
#include "store/rate.h"
#include "store/sql.h"

/* How reasons begin for which a chunk waits here. */
#define RATE "failure rate"

/* More than any job has chunks. */
#define ALL PG_INT32_MAX

typedef struct Count
{
	int64		answers;
	int64		failures;
	int64		before;			/* answers when the count began */
	bool		exceeded;
} Count;

#define SUMS "COALESCE(sum(c.answers), 0)::bigint AS answers, COALESCE(sum(c.bad_answers + c.write_failed), 0)::bigint AS failures"

/* All zero where the job is gone. */
static Count
count_answers(const BiJob *job)
{
	BiArgs		args = {0};
	Count		count = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, job->spec.max_failure_rate);
	bi_sql_arg_int4(&args, BI_RATE_ENOUGH);
	/* A write that failed may have been repeated: then it counts no longer. */
	if (bi_sql_run("SELECT n.answers, n.failures, j.answers_before, n.answers >= $3 AND n.failures > n.answers * $2::numeric"
				   " FROM batchinf.job j CROSS JOIN LATERAL (SELECT " SUMS " FROM batchinf.chunk c WHERE c.job_id = j.job_id) s"
				   " CROSS JOIN LATERAL (SELECT s.answers - j.answers_before AS answers,"
				   "  GREATEST(s.failures - j.failures_before, 0) AS failures) n WHERE j.job_id = $1", &args) == 0)
		return count;
	count.answers = bi_sql_int8(0, 1);
	count.failures = bi_sql_int8(0, 2);
	count.before = bi_sql_int8(0, 3);
	count.exceeded = bi_sql_bool(0, 4);
	return count;
}

static char *
describe(const BiJob *job, const Count *count)
{
	return psprintf(INT64_FORMAT " of " INT64_FORMAT " answers failed, and max_failure_rate is %s",
					count->failures, count->answers, job->spec.max_failure_rate);
}

static void
pause_job(const BiJob *job, const BiChunk *chunk, const Count *count)
{
	BiArgs		args = {0};
	char	   *reason = describe(job, count);

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, reason);
	bi_sql_arg_int8(&args, count->before);
	if (bi_sql_run("UPDATE batchinf.job SET paused = true, paused_at = now(), pause_reason = $2 WHERE job_id ="
				   " (SELECT j.job_id FROM batchinf.job j WHERE j.job_id = $1 AND NOT j.paused AND j.ended IS NULL"
				   "  AND j.cancelled_at IS NULL AND j.answers_before = $3 AND EXISTS (SELECT FROM batchinf.chunk c"
				   "   WHERE c.job_id = j.job_id AND c.state IN ('planned', 'uploading', 'uploaded'))"
				   "  FOR NO KEY UPDATE OF j SKIP LOCKED)", &args) == 0)
		return;
	bi_event_add(chunk, "job paused", reason, 0, NULL);
	ereport(LOG,
			(errmsg("batch job " INT64_FORMAT " is paused: %s", job->id, reason)));
}

/* At most so many, the oldest first. */
static void
wake(int64 job_id, int limit)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_int4(&args, limit);
	bi_sql_run("UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at > now() AND chunk_id IN"
			   " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.job_id = $1 AND c.state IN ('planned', 'uploaded')"
			   "  AND c.holder_pid IS NULL AND c.waiting_for LIKE '" RATE "%' ORDER BY c.chunk_id LIMIT $2 FOR UPDATE SKIP LOCKED)", &args);
}

void
bi_rate_judge(const BiJob *job, const BiChunk *chunk)
{
	Count		count;

	if (job->spec.max_failure_rate == NULL)
		return;
	count = count_answers(job);
	if (count.exceeded)
		pause_job(job, chunk, &count);
	else
		wake(job->id, count.answers < BI_RATE_ENOUGH ? 1 : ALL);
}

/* Is another one on its way, or before this one?  An input that is there already comes before those
 * that are not; those that wait for company wait for this one. */
static bool
is_behind(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_bool(&args, chunk->state == BI_PLANNED);
	return bi_sql_run("SELECT FROM batchinf.chunk c WHERE c.job_id = $1 AND c.chunk_id <> $2 AND CASE c.state"
					  " WHEN 'planned' THEN $3 AND c.chunk_id < $2 AND (c.waiting_for LIKE 'company:%') IS NOT TRUE"
					  " WHEN 'uploading' THEN $3 OR c.chunk_id < $2 WHEN 'uploaded' THEN $3 OR c.chunk_id < $2"
					  " ELSE c.state NOT IN ('cleaning', 'done', 'cancelled', 'failed') END LIMIT 1", &args) > 0;
}

char *
bi_rate_hold(const BiJob *job, const BiChunk *chunk)
{
	Count		count;

	if (job->spec.max_failure_rate == NULL)
		return NULL;
	count = count_answers(job);
	if (count.exceeded)
	{
		pause_job(job, chunk, &count);
		return psprintf(RATE ": %s", describe(job, &count));
	}
	if (count.answers >= BI_RATE_ENOUGH || !is_behind(chunk))
		return NULL;
	return psprintf(RATE ": " INT64_FORMAT " answers are known, and the next batch is sent after %d", count.answers, BI_RATE_ENOUGH);
}

void
bi_rate_restart(int64 job_id)
{
	BiArgs		args = {0};

	if (!bi_sql_has_column("job", "pause_reason"))
		return;
	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("UPDATE batchinf.job j SET pause_reason = CASE WHEN j.paused THEN j.pause_reason END,"
			   " answers_before = s.answers, failures_before = s.failures"
			   " FROM (SELECT " SUMS " FROM batchinf.chunk c WHERE c.job_id = $1) s WHERE j.job_id = $1", &args);
	wake(job_id, ALL);
}
