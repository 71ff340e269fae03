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
#include "store/chunk.h"
#include "store/job.h"
#include "store/owner.h"
#include "store/server.h"
#include "store/sql.h"
#include "store/stop.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "worker/version.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_cancel);
PG_FUNCTION_INFO_V1(batchinf_pause);
PG_FUNCTION_INFO_V1(batchinf_resume);
PG_FUNCTION_INFO_V1(batchinf_retry);
PG_FUNCTION_INFO_V1(batchinf_retry_text);
PG_FUNCTION_INFO_V1(batchinf_pause_server);
PG_FUNCTION_INFO_V1(batchinf_resume_server);
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
	int64		job_id = bi_procedure_job(fcinfo);

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
	if (!paused)
		bi_chunk_hurry(job_id);
	bi_sql_finish();
	bi_wake_at_commit();
}

Datum
batchinf_pause(PG_FUNCTION_ARGS)
{
	set_pause(bi_procedure_job(fcinfo), true);
	PG_RETURN_VOID();
}

Datum
batchinf_resume(PG_FUNCTION_ARGS)
{
	set_pause(bi_procedure_job(fcinfo), false);
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

/* What is sent again is what was stored, not what the rows hold now. */
static void
tell_retried(int64 records)
{
	if (records > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " records are sent again as they were at batch_submit", records),
				 errhint("To send what the rows hold now, call batch_submit for them.")));
}

static int64
retry(int64 job_id, Datum outcomes)
{
	BiJob	   *job;
	int64		records;

	check_outcomes(DatumGetArrayTypeP(outcomes));
	bi_sql_connect();
	job = bi_job_require(CurrentMemoryContext, job_id, "retry");
	bi_job_refuse_foreign(job, "retry");
	records = bi_job_retry(job, outcomes);
	bi_sql_finish();
	tell_retried(records);
	if (records > 0)
		bi_wake_at_commit();
	return records;
}

static void
require_outcomes(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"outcomes\" must not be null"),
				 errhint("Leave it out to send all records that failed again.")));
}

Datum
batchinf_retry(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	require_outcomes(fcinfo);
	PG_RETURN_INT64(retry(job_id, PG_GETARG_DATUM(1)));
}

/* Literals come here, for PostgreSQL takes them for text where it can: arrays, and one outcome. */
Datum
batchinf_retry_text(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	char	   *given;
	Datum		outcomes;

	require_outcomes(fcinfo);
	given = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (given[0] == '{')
		outcomes = OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(given), ObjectIdGetDatum(TEXTOID), Int32GetDatum(-1));
	else
	{
		Datum		word = PG_GETARG_DATUM(1);

		outcomes = PointerGetDatum(construct_array(&word, 1, TEXTOID, -1, false, TYPALIGN_INT));
	}
	PG_RETURN_INT64(retry(job_id, outcomes));
}

/* Servers */

/* The server, if the current user may pause it; else an error. */
static BiServer *
require_server_owner(FunctionCallInfo fcinfo)
{
	const char *name;
	BiServer   *server;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"server\" must not be null")));
	name = NameStr(*PG_GETARG_NAME(0));
	server = bi_server_load(bi_server_require(name, GetUserId()), GetUserId());
	if (!has_privs_of_role(GetUserId(), server->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of foreign server \"%s\"", name),
				 errhint("batch_pause and batch_resume do it for your own jobs.")));
	return server;
}

Datum
batchinf_pause_server(PG_FUNCTION_ARGS)
{
	BiServer   *server = require_server_owner(fcinfo);

	bi_sql_connect();
	if (!bi_stop_set(server->oid, GetUserNameFromId(GetUserId(), false)))
		ereport(NOTICE, (errmsg("server \"%s\" is paused already", server->name)));
	bi_sql_finish();
	PG_RETURN_VOID();
}

Datum
batchinf_resume_server(PG_FUNCTION_ARGS)
{
	BiServer   *server = require_server_owner(fcinfo);

	bi_sql_connect();
	if (!bi_stop_clear(server->oid))
		ereport(NOTICE, (errmsg("server \"%s\" is not paused", server->name)));
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_VOID();
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

/* Limits of a server, for the view, which says who sees them: they come from options that everybody
 * may read in pg_foreign_server. */
Datum
batchinf_server_limits(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	BiServer   *server;
	const BiProvider *provider;
	BiLimits	limits;
	char	   *json;

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
