/*
 * api/pipe_call.c: the functions that refresh pipelines, and what else is done with them.
 */
#include "postgres.h"

#include "api/ofpipe.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "intake/refresh.h"
#include "miscadmin.h"
#include "store/pipeline.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_refresh);
PG_FUNCTION_INFO_V1(batchinf_pause_pipeline);
PG_FUNCTION_INFO_V1(batchinf_resume_pipeline);
PG_FUNCTION_INFO_V1(batchinf_drop_pipeline);
PG_FUNCTION_INFO_V1(batchinf_forget_keys);
PG_FUNCTION_INFO_V1(batchinf_adopt_pipeline);

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Refresh */

/* batch_refresh(name text, max_rows bigint, force boolean) RETURNS bigint: the job, or NULL. */
Datum
batchinf_refresh(PG_FUNCTION_ARGS)
{
	BiRefresh	wish = {.force = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2)};
	BiPipeline *pipeline;
	char	   *why;
	int64		job;

	PreventCommandIfReadOnly("batch_refresh()");
	if (!PG_ARGISNULL(1))
	{
		wish.max_rows = PG_GETARG_INT64(1);
		if (wish.max_rows < 1)
			INVALID(errmsg("argument \"max_rows\" must be a positive number"));
	}
	bi_sql_connect();
	pipeline = bi_ofpipe_require(fcinfo, "refresh");
	bi_ofpipe_refuse_foreign(pipeline, "refresh");
	bi_ofpipe_require_owner(pipeline);
	if (pipeline->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" is paused", pipeline->name),
				 errhint("Use batch_resume_pipeline(%s).", quote_literal_cstr(pipeline->name))));
	job = bi_refresh_run(pipeline, &wish, &why);
	bi_sql_finish();
	bi_wake_at_commit();
	if (job != 0)
		PG_RETURN_INT64(job);
	if (why)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" was not refreshed: %s", pipeline->name, why)));
	else
		ereport(NOTICE, (errmsg("nothing is due in pipeline \"%s\"", pipeline->name)));
	PG_RETURN_NULL();
}

/* The others */

static Datum
set_paused(FunctionCallInfo fcinfo, bool paused)
{
	BiArgs		args = {0};

	bi_sql_connect();
	bi_sql_arg_int4(&args, bi_ofpipe_require(fcinfo, paused ? "pause" : "resume")->id);
	bi_sql_arg_bool(&args, paused);
	bi_sql_run("UPDATE batchinf.pipeline SET paused = $2 WHERE pipeline_id = $1", &args);
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_VOID();
}

/* batch_pause_pipeline(name text): it is not refreshed until batch_resume_pipeline. */
Datum
batchinf_pause_pipeline(PG_FUNCTION_ARGS)
{
	return set_paused(fcinfo, true);
}

Datum
batchinf_resume_pipeline(PG_FUNCTION_ARGS)
{
	return set_paused(fcinfo, false);
}

/* batch_drop_pipeline(name text): its jobs stay. */
Datum
batchinf_drop_pipeline(PG_FUNCTION_ARGS)
{
	BiArgs		args = {0};

	bi_sql_connect();
	bi_sql_arg_int4(&args, bi_ofpipe_require(fcinfo, "drop")->id);
	bi_sql_run("DELETE FROM batchinf.answered WHERE pipeline_id = $1", &args);
	bi_sql_run("DELETE FROM batchinf.pipeline WHERE pipeline_id = $1", &args);
	bi_sql_finish();
	PG_RETURN_VOID();
}

/* batch_forget(name text, keys text[]) RETURNS bigint: how many rows are due again. */
Datum
batchinf_forget_keys(PG_FUNCTION_ARGS)
{
	BiArgs		args = {0};
	int64		n;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"keys\" must not be null")));
	bi_sql_connect();
	bi_sql_arg_int4(&args, bi_ofpipe_require(fcinfo, "forget rows of")->id);
	bi_sql_arg(&args, TEXTARRAYOID, PG_GETARG_DATUM(1), false);
	n = bi_sql_run("DELETE FROM batchinf.answered WHERE pipeline_id = $1 AND key IN"
				   " (SELECT batchinf.answered_key(u.key) FROM unnest($2) u(key))", &args);
	bi_sql_finish();
	PG_RETURN_INT64(n);
}

/* Returns the role that is to own the pipeline: the one that is named, else its owner. */
static Oid
choose_owner(FunctionCallInfo fcinfo, const BiPipeline *pipeline)
{
	Oid			owner = PG_ARGISNULL(1) ? pipeline->owner : PG_GETARG_OID(1);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist here", pipeline->name),
				 errhint("Name another role in the argument \"owner\".")));
	if (!has_privs_of_role(GetUserId(), owner) ||
		(OidIsValid(pipeline->owner) ? !has_privs_of_role(GetUserId(), pipeline->owner)
		 : !superuser()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to adopt pipeline \"%s\"", pipeline->name)));
	bi_ofpipe_check_superuser(owner);
	return owner;
}

/* batch_adopt_pipeline(name text, owner regrole): it goes on here, as that role. */
Datum
batchinf_adopt_pipeline(PG_FUNCTION_ARGS)
{
	BiArgs		args = {0};
	BiPipeline *pipeline;
	Oid			owner;

	bi_sql_connect();
	pipeline = bi_pipeline_require(bi_ofpipe_name(fcinfo));
	owner = choose_owner(fcinfo, pipeline);
	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg_oid(&args, owner);
	bi_sql_arg_text(&args, GetUserNameFromId(owner, false));
	bi_sql_arg_bool(&args, superuser_arg(owner));
	bi_sql_run("UPDATE batchinf.pipeline p SET install = h.uuid, database = h.database,"
			   " owner = $2, owner_name = $3::name, owner_superuser = $4, failures = 0,"
			   " regular = t.at, next_refresh = t.at"
			   " FROM batchinf.here h, batchinf.pipeline q, LATERAL batchinf.next_time(NULL,"
			   "  q.every, current_setting('TimeZone'), clock_timestamp()) t(at)"
			   " WHERE p.pipeline_id = $1 AND q.pipeline_id = $1", &args);
	bi_refresh_check(bi_pipeline_require(pipeline->name));
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_VOID();
}
