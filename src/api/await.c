/*
 * api/await.c: batch_wait: waits for the end of a job, and says how it goes.
 *
 * It looks a few times a second, and gives a NOTICE when something has changed: the state or the
 * number of records that are done, and the reason for which the job waits.  The words of that
 * reason, with the option or limit, its figures and what one can do, are those of
 * batch_jobs.waiting_for.  Each look is a transaction of its own; between two looks none is open.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "engine/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "store/job.h"
#include "store/progress.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_wait);
PG_FUNCTION_INFO_V1(batchinf_wait_text);
PG_FUNCTION_INFO_V1(batchinf_wait_number);
PG_FUNCTION_INFO_V1(batchinf_no_worker);

/* Time between two looks. */
#define LOOK_EVERY_MS 250

/* What a look finds.  On the stack of wait_for_job, for all looks. */
typedef struct Look
{
	int64		job_id;
	MemoryContext cxt;			/* of what one look finds; reset before the next */
	BiProgress	progress;
	bool		is_first;
	char	   *no_worker;		/* why no worker does the job, at the first look; else NULL */
} Look;

/* Here the words of batch_jobs.state matter. */
static bool
has_ended(const char *state)
{
	return strcmp(state, "completed") == 0 ||
		strcmp(state, "failed") == 0 ||
		strcmp(state, "cancelled") == 0;
}

static void
look_phase(void *arg)
{
	Look	   *look = arg;
	char	   *why;

	(void) bi_job_require(CurrentMemoryContext, look->job_id, "wait for");
	(void) bi_progress_read(look->cxt, look->job_id, &look->progress);
	look->no_worker = NULL;
	if (look->is_first && !has_ended(look->progress.state) && !bi_wake_possible(&why))
		look->no_worker = MemoryContextStrdup(look->cxt, why);
	look->is_first = false;
}

/* Once, at the first look: somebody else may do the work by now. */
static void
report_no_worker(int64 job_id, const char *why)
{
	ereport(NOTICE,
			(errmsg("no background worker does batch job " INT64_FORMAT, job_id),
			 errdetail("%s", why),
			 errhint("CALL batch_work() does it in a session.")));
}

/* Returns words about what the job has cost so far; "" before anything is paid for, and if that is
 * not known. */
static const char *
cost_so_far(const BiProgress *now)
{
	if (now->cost == NULL || strcmp(now->cost, "0") == 0)
		return "";
	return psprintf(", cost %s USD", now->cost);
}

/* Reports the progress if it is not what was reported before, and remembers it in *reported. */
static void
report_progress(int64 job_id, const BiProgress *now, BiProgress *reported)
{
	if (reported->state && strcmp(reported->state, now->state) == 0 &&
		reported->pending == now->pending)
		return;
	ereport(NOTICE,
			(errmsg("batch job " INT64_FORMAT " is %s: " INT64_FORMAT " of " INT64_FORMAT
					" records done, " INT64_FORMAT " succeeded%s",
					job_id, now->state, now->records - now->pending, now->records,
					now->succeeded, cost_so_far(now)),
			 now->error ? errdetail("%s", now->error) : 0));
	reported->state = pstrdup(now->state);
	reported->pending = now->pending;
}

/* The same for the reason for which the job waits.  That no worker is there was said first. */
static void
report_reason(int64 job_id, const BiProgress *now, BiProgress *reported)
{
	if (now->wait.kind == BI_WAIT_NONE || now->wait.kind == BI_WAIT_NO_WORKER)
		return;
	if (reported->wait.kind == now->wait.kind)
		return;
	ereport(NOTICE, (errmsg("batch job " INT64_FORMAT " waits: %s", job_id, now->wait.words)));
	reported->wait.kind = now->wait.kind;
}

static void
refuse_to_wait(int64 job_id, const BiProgress *now)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "It is %s, " INT64_FORMAT " of " INT64_FORMAT
					 " records are pending.", now->state, now->pending, now->records);
	if (now->wait.kind != BI_WAIT_NONE)
		appendStringInfo(&detail, " It waits: %s.", now->wait.words);
	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("batch job " INT64_FORMAT " has not ended in time", job_id),
			 errdetail_internal("%s", detail.data),
			 errhint("The job goes on; call batch_wait again, or look at waiting_for in"
					 " batch_jobs.")));
}

static void
pause_phase(void *arg)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_EVERY_MS,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
wait_for_job(FunctionCallInfo fcinfo, TimestampTz until)
{
	Look		look = {.is_first = true};
	BiProgress	reported = {0};

	look.job_id = bi_procedure_job(fcinfo);
	look.cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf wait look",
									 ALLOCSET_SMALL_SIZES);
	bi_procedure_connect();
	for (;;)
	{
		ErrorData  *error;

		MemoryContextReset(look.cxt);
		error = bi_xact_run(BI_XACT_PROCEDURE, look_phase, &look);
		if (error)
			ReThrowError(error);
		if (look.no_worker)
			report_no_worker(look.job_id, look.no_worker);
		report_progress(look.job_id, &look.progress, &reported);
		if (has_ended(look.progress.state))
			break;
		report_reason(look.job_id, &look.progress, &reported);
		if (GetCurrentTimestamp() >= until)
			refuse_to_wait(look.job_id, &look.progress);
		bi_xact_wait(BI_XACT_PROCEDURE, pause_phase, NULL);
	}
	SPI_finish();
}

/* batch_wait(job_id bigint, timeout interval) */
Datum
batchinf_wait(PG_FUNCTION_ARGS)
{
	bi_procedure_require_no_block(fcinfo, "batch_wait");
	wait_for_job(fcinfo, bi_procedure_until(fcinfo, 1, "timeout"));
	PG_RETURN_VOID();
}

/*
 * batch_wait(job_id bigint, timeout text): a literal, which PostgreSQL takes for text where it
 * can.
 */
Datum
batchinf_wait_text(PG_FUNCTION_ARGS)
{
	bi_procedure_require_no_block(fcinfo, "batch_wait");
	if (!PG_ARGISNULL(1))
	{
		char	   *timeout = text_to_cstring(PG_GETARG_TEXT_PP(1));

		fcinfo->args[1].value = DirectFunctionCall3(interval_in, CStringGetDatum(timeout),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1));
	}
	wait_for_job(fcinfo, bi_procedure_until(fcinfo, 1, "timeout"));
	PG_RETURN_VOID();
}

/* batch_wait(job_id bigint, timeout int): an error, as a number has no unit. */
Datum
batchinf_wait_number(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"timeout\" must be an interval"),
			 PG_ARGISNULL(1)
			 ? 0
			 : errhint("CALL batch_wait(" INT64_FORMAT ", '%d s') waits for that many seconds.",
					   job_id, PG_GETARG_INT32(1))));
}

/* batchinf.no_worker() RETURNS text: why no background worker works here; NULL if one does. */
Datum
batchinf_no_worker(PG_FUNCTION_ARGS)
{
	char	   *why;

	if (bi_wake_possible(&why))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why));
}
