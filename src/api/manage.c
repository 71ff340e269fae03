/*
 * api/manage.c: what an owner does with a job (cancel, pause, resume, retry) or a server (pause,
 * resume).
 *
 * Each function checks the right and records the wish; a worker, woken at commit, acts on it.
 * Nothing here calls a provider.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "api/wordlist.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/rate.h"
#include "store/retry.h"
#include "store/server.h"
#include "store/sql.h"
#include "store/stop.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_cancel);
PG_FUNCTION_INFO_V1(batchinf_pause);
PG_FUNCTION_INFO_V1(batchinf_resume);
PG_FUNCTION_INFO_V1(batchinf_retry);
PG_FUNCTION_INFO_V1(batchinf_retry_text);
PG_FUNCTION_INFO_V1(batchinf_pause_server);
PG_FUNCTION_INFO_V1(batchinf_resume_server);
PG_FUNCTION_INFO_V1(batchinf_server_limits);

/* Cancel, pause and resume */

static void
report_ended(int64 job_id)
{
	ereport(NOTICE, (errmsg("batch job " INT64_FORMAT " has ended already", job_id)));
}

/* batch_cancel(job_id bigint) */
Datum
batchinf_cancel(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	bi_sql_connect();
	(void) bi_job_require(CurrentMemoryContext, job_id, "cancel");
	if (!bi_job_cancel(job_id))
		report_ended(job_id);
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
		report_ended(job_id);
	else if (!paused)
		bi_rate_restart(job_id);
	if (!paused)
		bi_chunk_hurry(job_id);
	bi_sql_finish();
	bi_wake_at_commit();
}

/* batch_pause(job_id bigint) */
Datum
batchinf_pause(PG_FUNCTION_ARGS)
{
	set_pause(bi_procedure_job(fcinfo), true);
	PG_RETURN_VOID();
}

/* batch_resume(job_id bigint) */
Datum
batchinf_resume(PG_FUNCTION_ARGS)
{
	set_pause(bi_procedure_job(fcinfo), false);
	PG_RETURN_VOID();
}

/* Retry */

static void
check_outcomes(ArrayType *outcomes)
{
	const char *const may_be_sent[] = {
		bi_outcome_name(BI_OUTCOME_ERRORED),
		bi_outcome_name(BI_OUTCOME_EXPIRED),
		bi_outcome_name(BI_OUTCOME_MISSING),
		bi_outcome_name(BI_OUTCOME_INVALID_OUTPUT),
		bi_outcome_name(BI_OUTCOME_CANCELLED),
		NULL
	};
	char	   *other = bi_wordlist_find_other(outcomes, may_be_sent);

	if (other)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("records with outcome \"%s\" cannot be sent again", other),
				 errhint("Available outcomes: errored, expired, missing, invalid_output,"
						 " cancelled.")));
}

/* Says that what is sent again is what was stored, not what the rows hold now. */
static void
report_retried(int64 records)
{
	if (records > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " records are sent again as they were at batch_submit",
						records),
				 errhint("To send what the rows hold now, call batch_submit for them.")));
}

/* Sends the records with these outcomes (text[]) again; returns how many. */
static int64
retry(int64 job_id, Datum outcomes)
{
	BiJob	   *job;
	int64		records;

	check_outcomes(DatumGetArrayTypeP(outcomes));
	bi_sql_connect();
	job = bi_job_require(CurrentMemoryContext, job_id, "retry");
	bi_job_refuse_foreign(job, "retry");
	records = bi_retry_begin(job, outcomes);
	bi_sql_finish();
	report_retried(records);
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

/* batch_retry(job_id bigint, outcomes text[]) RETURNS bigint */
Datum
batchinf_retry(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);

	require_outcomes(fcinfo);
	PG_RETURN_INT64(retry(job_id, PG_GETARG_DATUM(1)));
}

/*
 * batch_retry(job_id bigint, outcomes text) RETURNS bigint: one outcome, or the literal of an
 * array: PostgreSQL takes literals for text where it can, so '{errored,expired}' comes here too.
 */
Datum
batchinf_retry_text(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	char	   *given;
	Datum		outcomes;

	require_outcomes(fcinfo);
	given = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (given[0] == '{')
		outcomes = OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(given),
									ObjectIdGetDatum(TEXTOID), Int32GetDatum(-1));
	else
	{
		Datum		word = PG_GETARG_DATUM(1);

		outcomes = PointerGetDatum(construct_array(&word, 1, TEXTOID, -1, false,
												   TYPALIGN_INT));
	}
	PG_RETURN_INT64(retry(job_id, outcomes));
}

/* Servers */

/* Returns the server in argument 0.  Raises an error unless the current user owns it. */
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

/* batch_pause_server(server name) */
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

/* batch_resume_server(server name) */
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

static void
append_number(StringInfo json, const char *name, int64 number)
{
	appendStringInfo(json, "%c\"%s\":" INT64_FORMAT, json->len == 0 ? '{' : ',', name, number);
}

/*
 * batchinf.server_limits(oid) RETURNS jsonb: the limits of a server, or NULL if it does not exist.
 * The view batch_servers decides who sees them: they come from options that everybody may read in
 * pg_foreign_server.
 */
Datum
batchinf_server_limits(PG_FUNCTION_ARGS)
{
	BiServer   *server = bi_server_load(PG_GETARG_OID(0), GetUserId());
	const BiProvider *provider = server ? bi_registry_find(server->provider) : NULL;
	BiLimits	limits;
	StringInfoData json;

	if (provider == NULL)
		PG_RETURN_NULL();
	limits = bi_registry_limits(provider, server, server->model);
	initStringInfo(&json);
	append_number(&json, "max_requests", limits.max_requests);
	append_number(&json, "min_requests", limits.min_requests);
	append_number(&json, "max_bytes", limits.max_bytes);
	append_number(&json, "max_batches", limits.max_batches);
	append_number(&json, "max_enqueued_tokens", limits.max_enqueued_tokens);
	append_number(&json, "max_enqueued_requests", limits.max_enqueued_requests);
	append_number(&json, "max_files", limits.max_files);
	append_number(&json, "poll_interval", limits.poll_interval);
	append_number(&json, "expires_after", limits.expires_after);
	appendStringInfoChar(&json, '}');
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}
