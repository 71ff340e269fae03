/*
 * api/argument.c: the arguments of batch_submit, one by one.
 *
 * What can be said of an argument without looking at any other, or at the database, is
 * said here.  Called by submit.c.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "api/argument.h"
#include "base/json.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* The arguments' places. */
enum
{
	ARG_QUERY, ARG_SERVER, ARG_PROMPT, ARG_SYSTEM_PROMPT, ARG_MODEL, ARG_TASK, ARG_KEY, ARG_TARGET,
	ARG_WRITE_BACK, ARG_RESPONSE_SCHEMA, ARG_PARAMS, ARG_NAME, ARG_DEADLINE, ARG_MAX_ATTEMPTS,
	ARG_MAX_FAILURE_RATE
};

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static Jsonb *
require_object(Jsonb *json, const char *name)
{
	if (!JB_ROOT_IS_OBJECT(json))
		INVALID(errmsg("argument \"%s\" must be a JSON object", name),
				strcmp(name, "write_back") == 0 ? errhint("Write {\"column\": \"$\"}: which column takes which part of the output.") : 0);
	return json;
}

/* Text of a jsonb argument that must be an object. */
static char *
object_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	Jsonb	   *json;

	if (PG_ARGISNULL(i))
		return NULL;
	json = require_object(PG_GETARG_JSONB_P(i), name);
	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

/* True if the function that is called has an argument of type jsonb there: until ALTER EXTENSION
 * UPDATE a new library is called by the SQL of 0.1.0. */
static bool
is_jsonb(FunctionCallInfo fcinfo, int i)
{
	Oid		   *types;
	int			count;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
	return i < count && types[i] == JSONBOID;
}

/* Returns the compact text of a batch_json argument that must be an object: members in the order
 * in which they were written, of a name given twice the last value in the first one's place.
 * NULL if not given.  Raises what jsonb raises: escapes that are no character. */
static char *
ordered_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	char	   *text;
	BiJson	   *json;

	if (PG_ARGISNULL(i) || is_jsonb(fcinfo, i))
		return object_argument(fcinfo, i, name);
	text = text_argument(fcinfo, i);
	(void) require_object(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text))), name);
	json = bi_json_parse(text, strlen(text));
	if (json == NULL)
		INVALID(errmsg("argument \"%s\" cannot be sent as JSON", name),
				errdetail("It is more than %d levels deep.", BI_JSON_DEPTH));
	return bi_json_text(json);
}

static BiTask
task_argument(FunctionCallInfo fcinfo)
{
	char	   *task = text_argument(fcinfo, ARG_TASK);

	if (task == NULL || strcmp(task, "chat") == 0)
		return BI_TASK_CHAT;
	if (strcmp(task, "embedding") == 0)
		return BI_TASK_EMBEDDING;
	INVALID(errmsg("unknown task \"%s\"", task), errhint("Tasks are \"chat\" and \"embedding\"."));
}

static TimestampTz
deadline_argument(FunctionCallInfo fcinfo)
{
	TimestampTz deadline;

	TIMESTAMP_NOEND(deadline);
	if (PG_ARGISNULL(ARG_DEADLINE))
		return deadline;
	deadline = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
													   PG_GETARG_DATUM(ARG_DEADLINE)));
	if (deadline <= GetCurrentTransactionStartTimestamp())
		INVALID(errmsg("argument \"deadline\" must be a positive interval"));
	return deadline;
}

static int
attempts_argument(FunctionCallInfo fcinfo)
{
	int			attempts = PG_ARGISNULL(ARG_MAX_ATTEMPTS) ? 3 : PG_GETARG_INT32(ARG_MAX_ATTEMPTS);

	if (attempts < 1 || attempts > 100)
		INVALID(errmsg("argument \"max_attempts\" must be between 1 and 100"));
	return attempts;
}

/* The number as text, or NULL.  NaN is larger than all numbers. */
static char *
rate_argument(FunctionCallInfo fcinfo)
{
	Datum		rate;

	if (PG_NARGS() <= ARG_MAX_FAILURE_RATE || PG_ARGISNULL(ARG_MAX_FAILURE_RATE))
		return NULL;
	rate = PG_GETARG_DATUM(ARG_MAX_FAILURE_RATE);
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, rate, DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, rate, DirectFunctionCall1(int4_numeric, Int32GetDatum(1)))))
		INVALID(errmsg("argument \"max_failure_rate\" must be between 0 and 1"));
	return DatumGetCString(DirectFunctionCall1(numeric_out, rate));
}

static void
require_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

/*
 * A worker holds what is constant in a job several times for each of its chunks that are on
 * their way: with 100 MB of params that was 3 GB.  What differs by record is limited by the
 * size of a batch; response_schema has a limit of its own.
 */
static const struct
{
	int			place;
	const char *name;
	int			max;
}			sizes[] = {
	{ARG_QUERY, "query", 8 * 1024 * 1024},
	{ARG_PROMPT, "prompt", 8 * 1024 * 1024},
	{ARG_SYSTEM_PROMPT, "system_prompt", 8 * 1024 * 1024},
	{ARG_PARAMS, "params", 1024 * 1024},
	{ARG_WRITE_BACK, "write_back", 1024 * 1024},
	{ARG_KEY, "key", 128 * 1024},
	{ARG_NAME, "name", 64 * 1024},
	{ARG_MODEL, "model", 1024},
};

/* Looks at no byte of them. */
static void
check_sizes(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < lengthof(sizes); i++)
	{
		Size		size = PG_ARGISNULL(sizes[i].place) ? 0 : toast_raw_datum_size(PG_GETARG_DATUM(sizes[i].place)) - VARHDRSZ;

		if (size > sizes[i].max)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("argument \"%s\" is too large", sizes[i].name),
					 errdetail("It has %zu bytes, and may have %d.", size, sizes[i].max)));
	}
}

void
bi_argument_read(FunctionCallInfo fcinfo, BiJob *job, char **key)
{
	BiSpec	   *spec = &job->spec;

	check_sizes(fcinfo);
	require_argument(fcinfo, ARG_QUERY, "query");
	require_argument(fcinfo, ARG_SERVER, "server");
	spec->query = text_argument(fcinfo, ARG_QUERY);
	spec->prompt = text_argument(fcinfo, ARG_PROMPT);
	spec->system_prompt = text_argument(fcinfo, ARG_SYSTEM_PROMPT);
	spec->model = text_argument(fcinfo, ARG_MODEL);
	spec->task = task_argument(fcinfo);
	spec->write_back = object_argument(fcinfo, ARG_WRITE_BACK, "write_back");
	spec->response_schema = ordered_argument(fcinfo, ARG_RESPONSE_SCHEMA, "response_schema");
	spec->params = ordered_argument(fcinfo, ARG_PARAMS, "params");
	spec->max_attempts = attempts_argument(fcinfo);
	spec->max_failure_rate = rate_argument(fcinfo);
	*key = text_argument(fcinfo, ARG_KEY);
	job->owner = GetUserId();
	job->server_name = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	job->target = PG_ARGISNULL(ARG_TARGET) ? InvalidOid : PG_GETARG_OID(ARG_TARGET);
	job->name = text_argument(fcinfo, ARG_NAME);
	job->deadline = deadline_argument(fcinfo);
}
