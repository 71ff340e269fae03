/*
 * api/delete.c: batch_delete: removes an ended job and all that belongs to it.
 *
 * What stays is what must outlive a job: the idempotency_key of its call (batchinf.call), and what
 * a pipeline knows to be answered (batchinf.answered).
 */
#include "postgres.h"

#include "api/procedure.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/forget.h"
#include "store/job.h"
#include "store/sql.h"

PG_FUNCTION_INFO_V1(batchinf_delete);

/* Raises an error if something of the job is to be done yet. */
static void
check_over(const BiJob *job)
{
	if (!job->ended)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("batch job " INT64_FORMAT " has not ended", job->id),
				 errhint("Use batch_cancel(" INT64_FORMAT "), and delete it when it has ended.",
						 job->id)));
	/* What a foreign job left at its provider is the affair of its own installation. */
	if (!job->foreign && !bi_forget_is_clean(job->id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("batch job " INT64_FORMAT " still has files at the provider", job->id),
				 errdetail("A worker removes them."),
				 errhint("Delete the job when batch_chunks.next_step_at is null for all of its"
						 " chunks.")));
}

/* batch_delete(job_id bigint) */
Datum
batchinf_delete(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	PreventCommandIfReadOnly("batch_delete()");
	bi_sql_connect();
	(void) bi_job_require(CurrentMemoryContext, job_id, "delete");
	bi_job_lock(job_id);
	/* again: before the lock others may have reopened or deleted it */
	check_over(bi_job_require(CurrentMemoryContext, job_id, "delete"));
	bi_forget_job(job_id);
	bi_sql_finish();
	PG_RETURN_VOID();
}
