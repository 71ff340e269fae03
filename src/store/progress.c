/*
 * store/progress.c: how far a job is, and what it waits for.
 *
 * Reads the views batchinf.job_status and batchinf.job_wait, for batch_wait.
 */
#include "postgres.h"

#include "store/progress.h"
#include "store/sql.h"

#define STATUS(more) \
	"SELECT s.state, s.records, s.pending, s.succeeded, s.error, " more \
	" FROM batchinf.job_status s"
#define WITH_REASON \
	" LEFT JOIN batchinf.job_wait w ON w.job_id = s.job_id WHERE s.job_id = $1"

/* Reads the columns that are there: until ALTER EXTENSION UPDATE our views may be those of an older
 * version. */
static const char *
statement(void)
{
	if (bi_sql_has_column("job_status", "cost"))
		return STATUS("w.kind, w.waiting_for, s.cost") WITH_REASON;
	if (bi_sql_has_column("job_wait", "kind"))
		return STATUS("w.kind, w.waiting_for, NULL") WITH_REASON;
	return STATUS("NULL, NULL, NULL") " WHERE s.job_id = $1";
}

bool
bi_progress_read(MemoryContext cxt, int64 job_id, BiProgress *progress)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	if (bi_sql_run(statement(), &args) == 0)
		return false;
	progress->state = bi_sql_text(cxt, 0, 1);
	progress->records = bi_sql_int8(0, 2);
	progress->pending = bi_sql_int8(0, 3);
	progress->succeeded = bi_sql_int8(0, 4);
	progress->error = bi_sql_text(cxt, 0, 5);
	progress->wait.kind = bi_wait_parse(bi_sql_text(cxt, 0, 6));
	progress->wait.words = bi_sql_text(cxt, 0, 7);
	progress->cost = bi_sql_text(cxt, 0, 8);
	return true;
}
