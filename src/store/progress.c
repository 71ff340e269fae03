/*
 * store/progress.c: how far a job is, and what it waits for.
 *
 * Reads the views batchinf.job_status and batchinf.job_wait, for batch_wait.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "store/progress.h"
#include "store/sql.h"
#include "utils/lsyscache.h"

/* Until ALTER EXTENSION UPDATE our views may be those of 0.1.0. */
static bool
has_reasons(void)
{
	return OidIsValid(get_relname_relid("job_wait", get_namespace_oid("batchinf", false)));
}

bool
bi_progress_read(MemoryContext cxt, int64 job_id, BiProgress *progress)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	if (bi_sql_run(has_reasons()
				   ? "SELECT s.state, s.records, s.pending, s.succeeded, s.error, w.topic, w.waiting_for"
				   " FROM batchinf.job_status s LEFT JOIN batchinf.job_wait w ON w.job_id = s.job_id WHERE s.job_id = $1"
				   : "SELECT state, records, pending, succeeded, error, NULL, NULL FROM batchinf.job_status WHERE job_id = $1", &args) == 0)
		return false;
	progress->state = bi_sql_text(cxt, 0, 1);
	progress->records = bi_sql_int8(0, 2);
	progress->pending = bi_sql_int8(0, 3);
	progress->succeeded = bi_sql_int8(0, 4);
	progress->error = bi_sql_text(cxt, 0, 5);
	progress->topic = bi_sql_text(cxt, 0, 6);
	progress->waiting_for = bi_sql_text(cxt, 0, 7);
	return true;
}
