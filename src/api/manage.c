/*
 * api/manage.c: what the owner of a job can do with it, and batch_work.
 *
 * Cancel, pause and resume write a wish that the worker reads; nothing here calls a
 * provider.  batch_work is a procedure: while it waits no transaction holds anything.
 * Called from SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "api/procedure.h"
#include "engine/drive.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "store/job.h"
#include "store/owner.h"
#include "store/server.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "worker/version.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_cancel);
PG_FUNCTION_INFO_V1(batchinf_pause);
PG_FUNCTION_INFO_V1(batchinf_resume);
PG_FUNCTION_INFO_V1(batchinf_retry);
PG_FUNCTION_INFO_V1(batchinf_work);
PG_FUNCTION_INFO_V1(batchinf_server_limits);

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
	bi_procedure_require_no_block(fcinfo, "batch_work");
	if (bi_version_found(&why) && why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on"),
				 errdetail_internal("%s", why),
				 errhint(BI_VERSION_HINT)));
	drive.until = bi_procedure_until(fcinfo, 0, "max_time");
	bi_procedure_connect();
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
