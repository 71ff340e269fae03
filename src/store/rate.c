/*
 * store/rate.c: how large a share of a job's answers failed, and what follows.
 *
 * The counts are the sum over its chunks, minus what it was when the count began (in the job).  The
 * job's row is locked only to pause it, and nothing ever waits for that lock.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/event.h"
#include "store/rate.h"
#include "store/sql.h"

/* A limit larger than the number of chunks of any job. */
#define ALL PG_INT32_MAX

typedef struct Count
{
	int64		answers;
	int64		failures;
	int64		before;			/* answers when the count began */
	bool		exceeded;
} Count;

/* A copy is no answer of its own, so that its failed write does not count.  is_sent: a condition
 * that is true for chunks that are sent. */
#define SUMS(is_sent) \
	"COALESCE(sum(c.answers), 0)::bigint AS answers, COALESCE(sum(c.bad_answers + c.write_failed)" \
	"  FILTER (WHERE " is_sent "), 0)::bigint AS failures"

/* Returns the counts; all are zero if the job is gone. */
static Count
count_answers(const BiJob *job)
{
	BiArgs		args = {0};
	Count		count = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, job->spec.max_failure_rate);
	bi_sql_arg_int4(&args, BI_RATE_ENOUGH);
	/* A failed write that was repeated with success does not count any more. */
	if (bi_sql_run("SELECT n.answers, n.failures, j.answers_before, n.answers >= $3"
				   " AND n.failures > n.answers * $2::numeric"
				   " FROM batchinf.job j CROSS JOIN LATERAL"
				   " (SELECT " SUMS("c.copies IS NULL")
				   "  FROM batchinf.chunk c WHERE c.job_id = j.job_id) s"
				   " CROSS JOIN LATERAL (SELECT s.answers - j.answers_before AS answers,"
				   "  GREATEST(s.failures - j.failures_before, 0) AS failures) n"
				   " WHERE j.job_id = $1", &args) == 0)
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
	if (bi_sql_run("UPDATE batchinf.job SET paused = true, paused_at = now(), pause_reason = $2"
				   " WHERE job_id ="
				   " (SELECT j.job_id FROM batchinf.job j WHERE j.job_id = $1 AND NOT j.paused"
				   " AND j.ended IS NULL"
				   "  AND j.cancelled_at IS NULL AND j.answers_before = $3"
				   " AND EXISTS (SELECT FROM batchinf.chunk c"
				   "   WHERE c.job_id = j.job_id AND c.copies IS NULL"
				   "   AND c.state IN ('planned', 'uploading', 'uploaded'))"
				   "  FOR NO KEY UPDATE OF j SKIP LOCKED)", &args) == 0)
		return;
	bi_event_add(chunk, "job paused", reason, 0, NULL);
	ereport(LOG,
			(errmsg("batch job " INT64_FORMAT " is paused: %s", job->id, reason)));
}

/* Makes at most n chunks due that wait for answers, the oldest first. */
static void
wake(int64 job_id, int limit)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_int4(&args, limit);
	bi_sql_run("UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at > now()"
			   " AND chunk_id IN"
			   " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.job_id = $1"
			   " AND c.state IN ('planned', 'uploaded')"
			   "  AND c.holder_pid IS NULL AND c.wait_kind = 'failure_rate' ORDER BY c.chunk_id"
			   " LIMIT $2 FOR UPDATE SKIP LOCKED)", &args);
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

/* True if another chunk of the job is at the provider, or goes before this one.  A chunk whose
 * input is there already goes before others.  A chunk that waits for company waits for this one. */
static bool
is_behind(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_bool(&args, chunk->state == BI_CHUNK_PLANNED);
	return bi_sql_run("SELECT FROM batchinf.chunk c WHERE c.job_id = $1 AND c.chunk_id <> $2"
					  " AND c.copies IS NULL AND CASE c.state"
					  " WHEN 'planned' THEN $3 AND c.chunk_id < $2"
					  " AND c.wait_kind IS DISTINCT FROM 'company'"
					  " WHEN 'uploading' THEN $3 OR c.chunk_id < $2 WHEN 'uploaded' THEN $3"
					  " OR c.chunk_id < $2"
					  " ELSE c.state NOT " BI_CHUNK_SETTLED " END"
					  " LIMIT 1", &args) > 0;
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
		return psprintf("failure rate: %s", describe(job, &count));
	}
	if (count.answers >= BI_RATE_ENOUGH || !is_behind(chunk))
		return NULL;
	return psprintf("failure rate: " INT64_FORMAT
					" answers are known, and the next batch is sent after %d",
					count.answers, BI_RATE_ENOUGH);
}

void
bi_rate_restart(int64 job_id)
{
	BiArgs		args = {0};

	if (!bi_sql_has_column("job", "pause_reason"))
		return;
	bi_sql_arg_int8(&args, job_id);
	/* In a user's session, until ALTER EXTENSION UPDATE, the table may lack the column. */
	bi_sql_run("UPDATE batchinf.job j SET pause_reason ="
			   " CASE WHEN j.paused THEN j.pause_reason END,"
			   " answers_before = s.answers, failures_before = s.failures"
			   " FROM (SELECT " SUMS("to_jsonb(c)->>'copies' IS NULL")
			   "  FROM batchinf.chunk c WHERE c.job_id = $1) s"
			   " WHERE j.job_id = $1", &args);
	wake(job_id, ALL);
}
