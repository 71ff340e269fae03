/*
 * api/wait.c: batch_wait, and why no worker works.
 *
 * Looks a few times a second, and says what has changed: progress, and what the job waits
 * for.  Between the looks no transaction is open.  Called from SQL.
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

/* How often batch_wait looks. */
#define WAIT_LOOK_MS 250

typedef struct Look
{
	int64		job_id;
	MemoryContext cxt;
	BiProgress	progress;
	bool		first;
	char	   *no_worker;		/* why; NULL: one does it */
} Look;

static bool
has_ended(const char *state)
{
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
}

/* Once, whoever else may do the work meanwhile. */
static void
tell_disabled(int64 job_id, const char *why)
{
	ereport(NOTICE,
			(errmsg("no background worker does batch job " INT64_FORMAT, job_id),
			 errdetail("%s", why),
			 errhint("CALL batch_work() does it in a session.")));
}

static void
look_phase(void *arg)
{
	Look	   *look = arg;
	char	   *why;

	(void) bi_job_require(CurrentMemoryContext, look->job_id, "wait for");
	(void) bi_progress_read(look->cxt, look->job_id, &look->progress);
	look->no_worker = NULL;
	if (look->first && !has_ended(look->progress.state) && !bi_wake_possible(&why))
		look->no_worker = MemoryContextStrdup(look->cxt, why);
	look->first = false;
}

static void
tell_progress(int64 job_id, const BiProgress *now, BiProgress *told)
{
	if (told->state && strcmp(told->state, now->state) == 0 && told->pending == now->pending)
		return;
	ereport(NOTICE,
			(errmsg("batch job " INT64_FORMAT " is %s: " INT64_FORMAT " of " INT64_FORMAT " records done, " INT64_FORMAT " succeeded",
					job_id, now->state, now->records - now->pending, now->records, now->succeeded),
			 now->error ? errdetail("%s", now->error) : 0));
	told->state = pstrdup(now->state);
	told->pending = now->pending;
}

/* Whenever the reason changes.  That no worker is there was said at the beginning. */
static void
tell_reason(int64 job_id, const BiProgress *now, BiProgress *told)
{
	if (now->topic == NULL || strncmp(now->topic, "no worker", strlen("no worker")) == 0)
		return;
	if (told->topic && strcmp(told->topic, now->topic) == 0)
		return;
	ereport(NOTICE, (errmsg("batch job " INT64_FORMAT " waits: %s", job_id, now->waiting_for)));
	told->topic = pstrdup(now->topic);
}

static void
pause_phase(void *arg)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, *(int *) arg, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
wait_for_job(FunctionCallInfo fcinfo, TimestampTz until)
{
	Look		look = {.first = true};
	BiProgress	told = {0};
	int			wait_ms = WAIT_LOOK_MS;

	look.job_id = bi_procedure_job(fcinfo);
	look.cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf wait look", ALLOCSET_SMALL_SIZES);
	bi_procedure_connect();
	for (;;)
	{
		ErrorData  *error;

		MemoryContextReset(look.cxt);
		error = bi_xact_run(BI_XACT_PROCEDURE, look_phase, &look);
		if (error)
			ReThrowError(error);
		if (look.no_worker)
			tell_disabled(look.job_id, look.no_worker);
		tell_progress(look.job_id, &look.progress, &told);
		if (has_ended(look.progress.state))
			break;
		tell_reason(look.job_id, &look.progress, &told);
		if (GetCurrentTimestamp() >= until)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("batch job " INT64_FORMAT " has not ended in time", look.job_id),
					 errdetail("It is %s, " INT64_FORMAT " of " INT64_FORMAT " records are pending.",
							   look.progress.state, look.progress.pending, look.progress.records),
					 errhint("The job goes on; call batch_wait again, or look at waiting_for in batch_jobs.")));
		bi_xact_wait(BI_XACT_PROCEDURE, pause_phase, &wait_ms);
	}
	SPI_finish();
}

Datum
batchinf_wait(PG_FUNCTION_ARGS)
{
	bi_procedure_require_no_block(fcinfo, "batch_wait");
	wait_for_job(fcinfo, bi_procedure_until(fcinfo, 1, "timeout"));
	PG_RETURN_VOID();
}

/* Literals come here, for PostgreSQL takes them for text where it can. */
Datum
batchinf_wait_text(PG_FUNCTION_ARGS)
{
	bi_procedure_require_no_block(fcinfo, "batch_wait");
	if (!PG_ARGISNULL(1))
		fcinfo->args[1].value = DirectFunctionCall3(interval_in, CStringGetDatum(text_to_cstring(PG_GETARG_TEXT_PP(1))),
													ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	wait_for_job(fcinfo, bi_procedure_until(fcinfo, 1, "timeout"));
	PG_RETURN_VOID();
}

/* A number has no unit: says what to write. */
Datum
batchinf_wait_number(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"timeout\" must be an interval"),
			 PG_ARGISNULL(1) ? 0 : errhint("CALL batch_wait(" INT64_FORMAT ", '%d s') waits for that many seconds.", job_id, PG_GETARG_INT32(1))));
}

/* batchinf.no_worker() RETURNS text: why no background worker works here; NULL: one does. */
Datum
batchinf_no_worker(PG_FUNCTION_ARGS)
{
	char	   *why;

	if (bi_wake_possible(&why))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why));
}
