/*
 * api/manage.c: what the owner of a job can do with it, and batch_work.
 *
 * Cancel, pause and resume write a wish that the worker reads; nothing here calls a
 * provider.  batch_wait and batch_work are procedures: while they wait no transaction
 * holds anything.  Called from SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/drive.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "provider/registry.h"
#include "store/job.h"
#include "store/owner.h"
#include "store/server.h"
#include "store/sql.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/version.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_cancel);
PG_FUNCTION_INFO_V1(batchinf_pause);
PG_FUNCTION_INFO_V1(batchinf_resume);
PG_FUNCTION_INFO_V1(batchinf_retry);
PG_FUNCTION_INFO_V1(batchinf_wait);
PG_FUNCTION_INFO_V1(batchinf_work);
PG_FUNCTION_INFO_V1(batchinf_server_limits);

/* How often batch_wait looks, and how often it tells. */
#define WAIT_LOOK_MS 250

static void
tell_ended(int64 job_id)
{
	ereport(NOTICE, (errmsg("batch job " INT64_FORMAT " has ended already", job_id)));
}

Datum
batchinf_cancel(PG_FUNCTION_ARGS)
{
	int64		job_id = PG_GETARG_INT64(0);

	bi_sql_connect();
	(void) bi_job_require(CurrentMemoryContext, job_id, "cancel");
	if (!bi_job_cancel(job_id))
		tell_ended(job_id);
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_VOID();
}

static void
set_pause(int64 job_id, bool paused)
{
	bi_sql_connect();
	(void) bi_job_require(CurrentMemoryContext, job_id, paused ? "pause" : "resume");
	if (!bi_job_pause(job_id, paused))
		tell_ended(job_id);
	bi_sql_finish();
	bi_wake_at_commit();
}

Datum
batchinf_pause(PG_FUNCTION_ARGS)
{
	set_pause(PG_GETARG_INT64(0), true);
	PG_RETURN_VOID();
}

Datum
batchinf_resume(PG_FUNCTION_ARGS)
{
	set_pause(PG_GETARG_INT64(0), false);
	PG_RETURN_VOID();
}

static void
check_outcomes(ArrayType *outcomes)
{
	static const BiOutcome allowed[] = {BI_INVALID_OUTPUT, BI_ERRORED, BI_EXPIRED, BI_CANCELLED_RECORD, BI_MISSING};
	Datum	   *words;
	bool	   *nulls;
	int			n;

	deconstruct_array(outcomes, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *word = nulls[i] ? "NULL" : TextDatumGetCString(words[i]);
		bool		found = false;

		for (int j = 0; j < lengthof(allowed); j++)
			found = found || strcmp(word, bi_outcome_name(allowed[j])) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("records with outcome \"%s\" cannot be sent again", word),
					 errhint("Outcomes that can are errored, expired, missing, invalid_output and cancelled.")));
	}
}

Datum
batchinf_retry(PG_FUNCTION_ARGS)
{
	int64		job_id = PG_GETARG_INT64(0);
	BiJob	   *job;
	int64		records;

	check_outcomes(PG_GETARG_ARRAYTYPE_P(1));
	bi_sql_connect();
	job = bi_job_require(CurrentMemoryContext, job_id, "retry");
	bi_job_refuse_foreign(job, "retry");
	records = bi_job_retry(job, PG_GETARG_DATUM(1));
	bi_sql_finish();
	if (records > 0)
		bi_wake_at_commit();
	PG_RETURN_INT64(records);
}

/* Procedures */

static void
require_no_block(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context && IsA(fcinfo->context, CallContext) && !castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s cannot run inside a transaction block", name),
			 errhint("It commits as it goes: CALL it on its own.")));
}

static void
require_not_null(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static TimestampTz
until_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	TimestampTz until;

	TIMESTAMP_NOEND(until);
	if (PG_ARGISNULL(i))
		return until;
	until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(i)));
	if (until < GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", name)));
	return until;
}

static void
connect_procedure(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
}

typedef struct Look
{
	int64		job_id;
	MemoryContext cxt;
	BiProgress	progress;
} Look;

static void
look_phase(void *arg)
{
	Look	   *look = arg;

	(void) bi_job_require(CurrentMemoryContext, look->job_id, "wait for");
	(void) bi_job_progress(look->cxt, look->job_id, &look->progress);
}

static bool
has_ended(const char *state)
{
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
}

static void
tell_progress(const BiProgress *now, BiProgress *told)
{
	if (told->state && strcmp(told->state, now->state) == 0 && told->pending == now->pending)
		return;
	ereport(NOTICE,
			(errmsg("batch job is %s: " INT64_FORMAT " of " INT64_FORMAT " records done, " INT64_FORMAT " succeeded",
					now->state, now->records - now->pending, now->records, now->succeeded)));
	told->state = pstrdup(now->state);
	told->pending = now->pending;
}

static void
pause_phase(void *arg)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, *(int *) arg, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

Datum
batchinf_wait(PG_FUNCTION_ARGS)
{
	Look		look = {.job_id = PG_GETARG_INT64(0)};
	BiProgress	told = {0};
	TimestampTz until;
	int			wait_ms = WAIT_LOOK_MS;

	require_no_block(fcinfo, "batch_wait");
	require_not_null(fcinfo, 0, "job_id");
	until = until_argument(fcinfo, 1, "timeout");
	look.cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf wait look", ALLOCSET_SMALL_SIZES);
	connect_procedure();
	for (;;)
	{
		ErrorData  *error;

		MemoryContextReset(look.cxt);
		error = bi_xact_run(BI_XACT_PROCEDURE, look_phase, &look);
		if (error)
			ReThrowError(error);
		tell_progress(&look.progress, &told);
		if (has_ended(look.progress.state))
			break;
		if (GetCurrentTimestamp() >= until)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("batch job " INT64_FORMAT " has not ended in time", look.job_id),
					 errdetail("It is %s, " INT64_FORMAT " of " INT64_FORMAT " records are pending.",
							   look.progress.state, look.progress.pending, look.progress.records),
					 errhint("The job goes on; call batch_wait again, or look at batch_chunks for what it waits for.")));
		bi_xact_wait(BI_XACT_PROCEDURE, pause_phase, &wait_ms);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

static void
check_session_phase(void *arg)
{
	bi_owner_check_session();
}

Datum
batchinf_work(PG_FUNCTION_ARGS)
{
	BiDrive		drive = {.mode = BI_XACT_PROCEDURE, .linger_ms = -1};
	ErrorData  *error;
	char	   *why;

	PreventCommandDuringRecovery("batch_work()");
	require_no_block(fcinfo, "batch_work");
	if (bi_version_found(&why) && why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on"),
				 errdetail_internal("%s", why),
				 errhint(BI_VERSION_HINT)));
	drive.until = until_argument(fcinfo, 0, "max_time");
	connect_procedure();
	error = bi_xact_run(drive.mode, check_session_phase, NULL);
	if (error)
		ReThrowError(error);
	(void) bi_drive(&drive);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Limits of a server, for the view. */
Datum
batchinf_server_limits(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	BiServer   *server;
	const BiProvider *provider;
	BiLimits	limits;
	char	   *json;

	if (!bi_server_usable(oid, GetUserId()))
		PG_RETURN_NULL();
	server = bi_server_load(oid, GetUserId());
	provider = server ? bi_registry_find(server->provider) : NULL;
	if (provider == NULL)
		PG_RETURN_NULL();
	limits = bi_registry_limits(provider, server, server->model);
	json = psprintf("{\"max_requests\":" INT64_FORMAT ",\"min_requests\":" INT64_FORMAT ",\"max_bytes\":" INT64_FORMAT
					",\"max_batches\":" INT64_FORMAT ",\"max_enqueued_tokens\":" INT64_FORMAT ",\"max_enqueued_requests\":" INT64_FORMAT
					",\"max_files\":" INT64_FORMAT ",\"poll_interval\":" INT64_FORMAT
					",\"expires_after\":" INT64_FORMAT "}", limits.max_requests, limits.min_requests, limits.max_bytes,
					limits.max_batches, limits.max_enqueued_tokens, limits.max_enqueued_requests, limits.max_files, limits.poll_interval, limits.expires_after);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}
