/*
 * api/pipe.c: the functions that make and change pipelines.
 *
 * The caller of batch_create_pipeline owns the pipeline.  Its query runs as they then, whoever
 * refreshes it, so a function of a superuser cannot be made to create one by others.
 */
#include "postgres.h"

#include "api/ofpipe.h"
#include "catalog/pg_type.h"
#include "engine/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intake/argument.h"
#include "intake/refresh.h"
#include "intake/stored.h"
#include "miscadmin.h"
#include "store/carry.h"
#include "store/pipeline.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_create_pipeline);
PG_FUNCTION_INFO_V1(batchinf_alter_pipeline);

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Arguments */

/* Adds the argument of that name of the function that is called, which is of that type. */
static void
add_argument(BiArgs *args, FunctionCallInfo fcinfo, const char *name, Oid type)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n = get_func_arg_info(tuple, &types, &names, &modes);

	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) != 0 || types[i] != type)
			continue;
		bi_sql_arg(args, type, fcinfo->args[i].value, fcinfo->args[i].isnull);
		ReleaseSysCache(tuple);
		return;
	}
	ReleaseSysCache(tuple);
	bi_sql_arg(args, type, (Datum) 0, true);
}

/* Adds every, after, min_rows, max_age and retry_failed_after, in this order. */
static void
add_schedule(BiArgs *args, FunctionCallInfo fcinfo)
{
	add_argument(args, fcinfo, "every", INTERVALOID);
	add_argument(args, fcinfo, "after", TEXTOID);
	add_argument(args, fcinfo, "min_rows", INT4OID);
	add_argument(args, fcinfo, "max_age", INTERVALOID);
	add_argument(args, fcinfo, "retry_failed_after", INTERVALOID);
}

/* Checks the arguments of add_schedule, of a pipeline of that name. */
static void
check_schedule(FunctionCallInfo fcinfo, const char *name)
{
	BiArgs		args = {0};

	add_schedule(&args, fcinfo);
	bi_sql_arg_text(&args, name);
	bi_sql_run("WITH RECURSIVE before(name) AS (SELECT $2 UNION SELECT p.after FROM before b"
			   "  JOIN batchinf.pipeline p ON p.name = b.name WHERE p.after IS NOT NULL)"
			   " SELECT $1 < interval '1 minute', $3 < 1, $4 <= interval '0', $5 < interval '0',"
			   " EXISTS (SELECT FROM before b WHERE b.name = $6), $2 IS NOT NULL AND NOT EXISTS"
			   "  (SELECT FROM batchinf.pipeline p WHERE p.name = $2), $2,"
			   " GREATEST($1, $4, $5) > interval '1000 years'", &args);
	if (bi_sql_bool(0, 1))
		INVALID(errmsg("argument \"every\" must be a minute at least"));
	if (bi_sql_bool(0, 2))
		INVALID(errmsg("argument \"min_rows\" must be a positive number"));
	if (bi_sql_bool(0, 3))
		INVALID(errmsg("argument \"max_age\" must be a positive interval"));
	if (bi_sql_bool(0, 4))
		INVALID(errmsg("argument \"retry_failed_after\" must not be negative"));
	if (bi_sql_bool(0, 5))
		INVALID(errmsg("pipeline \"%s\" would come after itself", name));
	if (bi_sql_bool(0, 6))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist",
						bi_sql_text(CurrentMemoryContext, 0, 7))));
	if (bi_sql_bool(0, 8))
		INVALID(errmsg("arguments \"every\", \"max_age\" and \"retry_failed_after\" must be at most"
					   " 1000 years"));
}

/* Reads the arguments that all siblings share. */
static void
read_values(FunctionCallInfo fcinfo, BiValues *values)
{
	bi_values_of_call(fcinfo, values);
	values->given[BI_ARG_NAME] = false;	/* the pipeline's */
	if (values->given[BI_ARG_IN_FLIGHT] &&
		bi_values_word(values, BI_ARG_IN_FLIGHT, BI_IN_FLIGHT_SKIP) == BI_IN_FLIGHT_SEND)
		INVALID(errmsg("a pipeline never sends what is in flight"));
}

/* Says that arguments of a pipeline have no effect: only the worker's refreshes look at them. */
static void
note_unscheduled(const char *name)
{
	BiArgs		args = {0};

	bi_sql_arg_text(&args, name);
	bi_sql_run("SELECT EXISTS (SELECT FROM batchinf.pipeline p WHERE p.name = $1"
			   " AND p.every IS NULL AND (p.min_rows IS NOT NULL OR p.max_age IS NOT NULL))",
			   &args);
	if (bi_sql_bool(0, 1))
		ereport(NOTICE,
				(errmsg("\"min_rows\" and \"max_age\" of pipeline \"%s\" have no effect", name),
				 errdetail("They count for the refreshes that argument \"every\" asks for."),
				 errhint("Name \"every\" in batch_alter_pipeline.")));
}

/* Create and alter */

/* Stores a version of a pipeline with these arguments and the session's settings. */
static void
insert_version(int id, int version, const char *given)
{
	BiArgs		args = {0};
	char	   *custom = bi_carry_collect(GetUserId());

	bi_sql_arg_int4(&args, id);
	bi_sql_arg_int4(&args, version);
	bi_sql_arg_text(&args, given);
	bi_sql_arg_text(&args, bi_refresh_settings());
	bi_sql_arg_text(&args, custom);
	bi_sql_run("INSERT INTO batchinf.pipeline_version (pipeline_id, version, given, settings,"
			   " custom) VALUES ($1, $2, $3::jsonb, $4::jsonb, $5::jsonb)", &args);
}

/* Inserts the pipeline.  Returns its id. */
static int
insert_pipeline(FunctionCallInfo fcinfo, const char *name)
{
	BiArgs		args = {0};

	bi_sql_arg_text(&args, name);
	bi_sql_arg_oid(&args, GetUserId());
	bi_sql_arg_text(&args, GetUserNameFromId(GetUserId(), false));
	bi_sql_arg_bool(&args, superuser_arg(GetUserId()));
	add_schedule(&args, fcinfo);
	if (bi_sql_run("INSERT INTO batchinf.pipeline (name, install, database, owner, owner_name,"
				   " owner_superuser, every, after, min_rows, max_age, retry_failed_after,"
				   " regular, next_refresh)"
				   " SELECT $1, h.uuid, h.database, $2, $3::name, $4, $5, $6, $7, $8, $9,"
				   "  t.at, t.at"
				   " FROM batchinf.here h, batchinf.next_time(NULL, $5,"
				   "  current_setting('TimeZone'), clock_timestamp()) t(at)"
				   " ON CONFLICT (name) DO NOTHING RETURNING pipeline_id",
				   &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("pipeline \"%s\" already exists", name)));
	return (int) bi_sql_int8(0, 1);
}

/* batch_create_pipeline(name text, query text, server name, …) RETURNS int: version 1. */
Datum
batchinf_create_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = bi_ofpipe_name(fcinfo);
	BiValues   *values = palloc(sizeof(BiValues));

	PreventCommandIfReadOnly("batch_create_pipeline()");
	read_values(fcinfo, values);
	bi_values_require(values, BI_ARG_QUERY);
	bi_values_require(values, BI_ARG_SERVER);
	bi_ofpipe_check_superuser(GetUserId());
	bi_sql_connect();
	check_schedule(fcinfo, name);
	insert_version(insert_pipeline(fcinfo, name), 1, bi_stored_text(values));
	bi_refresh_check(bi_pipeline_require(name));
	note_unscheduled(name);
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_INT32(1);
}

/* Stores the next version: what is given now goes before what the last one has.  Nothing is kept of
 * one that cannot be read. */
static int
store_next(FunctionCallInfo fcinfo, const BiPipeline *pipeline, const BiValues *values)
{
	BiArgs		args = {0};
	BiArgs		merge = {0};
	int			version = pipeline->version + 1;

	bi_sql_arg_text(&merge, pipeline->given);
	bi_sql_arg_text(&merge, bi_stored_text(values));
	bi_sql_run("SELECT (CASE WHEN jsonb_typeof($1::jsonb) = 'object' THEN $1::jsonb ELSE '{}' END"
			   " || $2::jsonb)::text", &merge);
	insert_version(pipeline->id, version, bi_sql_text(CurrentMemoryContext, 0, 1));
	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg_int4(&args, version);
	add_schedule(&args, fcinfo);
	bi_sql_run("UPDATE batchinf.pipeline SET version = $2, every = COALESCE($3, every),"
			   " after = COALESCE($4, after), min_rows = COALESCE($5, min_rows),"
			   " max_age = COALESCE($6, max_age),"
			   " retry_failed_after = COALESCE($7, retry_failed_after), failures = 0,"
			   " regular = CASE WHEN $3 IS NULL THEN regular ELSE t.at END,"
			   " next_refresh = CASE WHEN $3 IS NULL THEN next_refresh ELSE t.at END"
			   " FROM batchinf.next_time(NULL, $3, current_setting('TimeZone'),"
			   "  clock_timestamp()) t(at) WHERE pipeline_id = $1", &args);
	return version;
}

/* All that older versions answered is due. */
static void
mark_resend(int id)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, id);
	bi_sql_run("UPDATE batchinf.answered SET hash = '' WHERE pipeline_id = $1", &args);
}

/* True if an argument is given that may change what is sent. */
static bool
is_any_given(const BiValues *values)
{
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
		if (values->given[arg])
			return true;
	return false;
}

/* Two versions of a pipeline. */
typedef struct Versions
{
	const BiPipeline *old;
	const BiPipeline *pipeline;
} Versions;

static void
rebase_phase(void *arg)
{
	const Versions *versions = arg;

	bi_refresh_rebase(versions->old, versions->pipeline);
}

/* What is on its way is known by what the old version sent: it would be sent again. */
static void
refuse_open_jobs(const BiPipeline *pipeline)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	if (bi_sql_run("SELECT j.job_id FROM batchinf.job j WHERE j.ended IS NULL"
				   " AND (j.spec->>'pipeline')::int = $1 LIMIT 1", &args) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("batch job " INT64_FORMAT " of pipeline \"%s\" is open",
						bi_sql_int8(0, 1), pipeline->name),
				 errhint("Wait until it has ended, or give resend => true.")));
}

/* What is answered as it is now is not due because of the new version. */
static void
rebase(const BiPipeline *old, const BiPipeline *pipeline)
{
	Versions	versions = {old, pipeline};
	ErrorData  *error;

	refuse_open_jobs(pipeline);
	error = bi_xact_try(rebase_phase, &versions);
	if (error)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("it cannot be seen which rows are answered as they are: %s",
						error->message),
				 errdetail("The last version's query, or the new one, raises an error.  Answered"
						   " rows are due.")));
}

/* batch_alter_pipeline(name text, … what changes …, resend boolean) RETURNS int: the version. */
Datum
batchinf_alter_pipeline(PG_FUNCTION_ARGS)
{
	BiValues   *values = palloc(sizeof(BiValues));
	int			last = PG_NARGS() - 1;
	bool		resend = !PG_ARGISNULL(last) && PG_GETARG_BOOL(last);
	BiPipeline *old;
	BiPipeline *pipeline;
	int			version;

	PreventCommandIfReadOnly("batch_alter_pipeline()");
	read_values(fcinfo, values);
	bi_sql_connect();
	old = bi_ofpipe_require(fcinfo, "alter");
	bi_ofpipe_refuse_foreign(old, "alter");
	bi_ofpipe_require_owner(old);
	bi_ofpipe_check_superuser(old->owner);
	check_schedule(fcinfo, old->name);
	version = store_next(fcinfo, old, values);
	pipeline = bi_pipeline_require(old->name);
	bi_refresh_check(pipeline);
	note_unscheduled(pipeline->name);
	if (resend)
		mark_resend(pipeline->id);
	else if (is_any_given(values))
		rebase(old, pipeline);
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_INT32(version);
}
