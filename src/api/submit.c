/*
 * api/submit.c: batch_submit: a query becomes a job.
 *
 * All of it happens in the caller's transaction: whatever can be known to be wrong is an error of
 * their statement, and leaves nothing behind.  intake/enroll.c does it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "intake/argument.h"
#include "intake/enroll.h"
#include "miscadmin.h"
#include "store/once.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_submit);

/* The job */

/* Says who will send the requests, unless it is the worker that everybody expects. */
static void
report_worker(void)
{
	char	   *why = NULL;

	if (!bi_wake_possible(&why))
		ereport(NOTICE,
				(errmsg("no background worker will do this batch job"),
				 errdetail("%s", why),
				 errhint("CALL batch_work() does it in a session.")));
	else if (why)
		ereport(NOTICE,
				(errmsg("a background worker started by this session will do this batch job"),
				 errdetail("%s", why)));
}

static void
report_planned(const BiPlanned *planned)
{
	if (planned->already > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT
						" rows are left out because open batch jobs have them",
						planned->already, planned->already + planned->records)));
	if (planned->records == 0)
		ereport(NOTICE,
				(errmsg(planned->already > 0
						? "no rows are left: the batch job is completed"
						: "the query returns no rows: the batch job is completed")));
	else if (planned->skipped > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT
						" records are skipped because their input is null",
						planned->skipped, planned->records)));
	if (planned->repeats > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT " records are not sent, because their"
						" requests repeat others of the job", planned->repeats, planned->records),
				 errdetail("The answer to one is the answer to all."),
				 errhint("dedup => false sends each.")));
	if (planned->cached > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT " records are not sent, because earlier"
						" jobs have their answers", planned->cached, planned->records)));
	if (planned->records > planned->skipped)
		report_worker();
}

/* Returns the id of the job that an earlier call with the same key has made, or 0. */
static int64
find_first(const BiRequest *request, int64 job_id)
{
	int64		first = bi_once_first(request->idempotency_key, request->given, job_id);

	if (first != 0)
		ereport(NOTICE,
				(errmsg("batch job " INT64_FORMAT " was made by an earlier call with"
						" idempotency_key \"%s\"", first, request->idempotency_key),
				 bi_job_load(CurrentMemoryContext, first) ? 0
				 : errdetail("That job was deleted since.")));
	return first;
}

/* batch_submit(query text, server name, …) RETURNS bigint: the id of the new job. */
Datum
batchinf_submit(PG_FUNCTION_ARGS)
{
	BiRequest	request;
	BiEnroll	enroll = {0};
	BiPlanned	planned;
	int64		first = 0;

	PreventCommandIfReadOnly("batch_submit()");
	bi_argument_read(fcinfo, &request);
	bi_sql_connect();
	if (request.idempotency_key)
	{
		enroll.job.id = bi_job_reserve();
		first = find_first(&request, enroll.job.id);
	}
	if (first == 0)
	{
		bi_enroll_open(&enroll, &request);
		planned = bi_enroll_run(&enroll);
		bi_intake_warn(enroll.intake, &planned);
		report_planned(&planned);
		bi_wake_at_commit();
	}
	bi_sql_finish();
	PG_RETURN_INT64(first != 0 ? first : enroll.job.id);
}
