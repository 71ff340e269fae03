/*
 * api/again.c: batch_rewrite: writes kept outputs to their rows again.
 *
 * The outputs are not paid for again: they are in our tables.  This only marks them as waiting; a
 * worker writes them after the commit, with the owner's rights and all checks of a first write.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "api/wordlist.h"
#include "fmgr.h"
#include "store/job.h"
#include "store/outcome.h"
#include "store/rewrite.h"
#include "store/sql.h"
#include "worker/version.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_rewrite);

static void
check_states(ArrayType *states)
{
	const char *const may_be_written[] = {
		bi_outcome_write_name(BI_WRITE_FAILED),
		bi_outcome_write_name(BI_WRITE_TARGET_MISSING),
		bi_outcome_write_name(BI_WRITE_STALE),
		bi_outcome_write_name(BI_WRITE_REVERTED),
		NULL
	};
	char	   *other = bi_wordlist_find_other(states, may_be_written);

	if (other)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outputs with write state \"%s\" cannot be written again", other),
				 errhint("Available write states: write_failed, target_missing, stale,"
						 " reverted.")));
}

/* batch_rewrite(job_id bigint, write_states text[]) RETURNS bigint: how many rows. */
Datum
batchinf_rewrite(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	BiJob	   *job;
	int64		rows;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"write_states\" must not be null"),
				 errhint("Leave it out to write all outputs again whose write-back failed.")));
	check_states(PG_GETARG_ARRAYTYPE_P(1));
	/* the tables of an older version count no reverted writes */
	bi_version_require("outputs cannot be written again");
	bi_sql_connect();
	job = bi_job_require(CurrentMemoryContext, job_id, "rewrite");
	bi_job_refuse_foreign(job, "rewrite");
	rows = bi_rewrite_begin(job, PG_GETARG_DATUM(1));
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_INT64(rows);
}
