/*
 * intake/argument.c: a call of batch_submit, or of a sibling, becomes a request.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guc.h"
#include "base/steady.h"
#include "base/texts.h"
#include "base/window.h"
#include "intake/argument.h"
#include "intake/values.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* The largest "keep". */
#define KEEP_YEARS 1000

/* Returns the time at which the interval will have passed since then; DT_NOEND if not given. */
static TimestampTz
end_argument(const BiValues *values, BiArgument arg, TimestampTz since)
{
	TimestampTz end;

	TIMESTAMP_NOEND(end);
	if (!values->given[arg])
		return end;
	end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												  TimestampTzGetDatum(since),
												  values->value[arg]));
	if (end <= since)
		INVALID(errmsg("argument \"%s\" must be a positive interval", bi_listed[arg].name));
	return end;
}

/* Returns the interval as the worker reads it; NULL if not given.  Its end must be a time whenever
 * the job ends. */
static char *
keep_argument(const BiValues *values)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz end;
	char	   *text;
	int			level;

	if (!values->given[BI_ARG_KEEP])
		return NULL;
	end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												  TimestampTzGetDatum(now),
												  values->value[BI_ARG_KEEP]));
	if (end < now)
		INVALID(errmsg("argument \"keep\" must not be a negative interval"));
	if (end - now > KEEP_YEARS * DAYS_PER_YEAR * USECS_PER_DAY)
		INVALID(errmsg("argument \"keep\" must be at most %d years", KEEP_YEARS));
	level = bi_steady_begin();
	text = DatumGetCString(DirectFunctionCall1(interval_out, values->value[BI_ARG_KEEP]));
	bi_steady_end(level);
	return text;
}

/* Returns the window with its time zone; NULL if not given. */
static char *
window_argument(const BiValues *values)
{
	char	   *text = bi_values_text(values, BI_ARG_SUBMIT_WINDOW);
	BiWindow	window;
	char	   *why = text ? bi_window_read(text, &window) : NULL;

	if (why)
		INVALID(errmsg("invalid value for argument \"submit_window\": \"%s\"", text),
				errdetail("%s", why),
				errhint("Write for example '22:00-05:00 Europe/Berlin'."));
	return text ? bi_window_text(&window) : NULL;
}

/* Sets when the job is sent, and for how long. */
static void
read_times(const BiValues *values, BiRequest *request)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	BiSpec	   *spec = &request->spec;

	TIMESTAMP_NOBEGIN(spec->start_after);
	if (values->given[BI_ARG_START_AFTER])
		spec->start_after = DatumGetTimestampTz(values->value[BI_ARG_START_AFTER]);
	spec->submit_window = window_argument(values);
	spec->retry_until = end_argument(values, BI_ARG_RETRY_FOR, Max(now, spec->start_after));
	request->deadline = end_argument(values, BI_ARG_DEADLINE, now);
}

/* Sets which rows have the answers of others. */
static void
read_copies(const BiValues *values, BiRequest *request)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (values->given[BI_ARG_DEDUP])
		request->dedup = DatumGetBool(values->value[BI_ARG_DEDUP]) ? BI_DEDUP_ON : BI_DEDUP_OFF;
	TIMESTAMP_NOEND(request->cache_since);
	if (!values->given[BI_ARG_CACHE])
		return;
	request->cache_since = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
																   TimestampTzGetDatum(now),
																   values->value[BI_ARG_CACHE]));
	if (request->cache_since >= now)
		INVALID(errmsg("argument \"cache\" must be a positive interval"));
}

static int
attempts_argument(const BiValues *values)
{
	int			attempts = 3;

	if (values->given[BI_ARG_MAX_ATTEMPTS])
		attempts = DatumGetInt32(values->value[BI_ARG_MAX_ATTEMPTS]);
	if (attempts < 1 || attempts > 100)
		INVALID(errmsg("argument \"max_attempts\" must be between 1 and 100"));
	return attempts;
}

/* Compares a numeric with an integer. */
static int
compare_numeric(Datum number, int32 integer)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, number,
											 DirectFunctionCall1(int4_numeric,
																 Int32GetDatum(integer))));
}

/* Returns the number as text, or NULL.  NaN is larger than all numbers. */
static char *
rate_argument(const BiValues *values)
{
	Datum		rate;

	if (!values->given[BI_ARG_MAX_FAILURE_RATE])
		return NULL;
	rate = values->value[BI_ARG_MAX_FAILURE_RATE];
	if (compare_numeric(rate, 0) < 0 || compare_numeric(rate, 1) > 0)
		INVALID(errmsg("argument \"max_failure_rate\" must be between 0 and 1"));
	return DatumGetCString(DirectFunctionCall1(numeric_out, rate));
}

/* Sets max_cost: the argument, or else what the setting says. */
static void
read_max_cost(const BiValues *values, BiSpec *spec)
{
	Numeric		cost;

	if (!values->given[BI_ARG_MAX_COST])
	{
		spec->max_cost_by_setting = bi_guc_max_job_cost[0] != '\0';
		spec->max_cost = spec->max_cost_by_setting ? pstrdup(bi_guc_max_job_cost) : NULL;
		return;
	}
	cost = DatumGetNumeric(values->value[BI_ARG_MAX_COST]);
	if (numeric_is_nan(cost) || numeric_is_inf(cost) ||
		compare_numeric(values->value[BI_ARG_MAX_COST], 0) < 0)
		INVALID(errmsg("argument \"max_cost\" must be an amount that is not negative"),
				errdetail("It is in US dollars."));
	spec->max_cost = DatumGetCString(DirectFunctionCall1(numeric_out,
														 NumericGetDatum(cost)));
}

List *
bi_argument_names(const char *argument, const char *list)
{
	List	   *names = NIL;

	if (!SplitIdentifierString(pstrdup(list), ',', &names) || names == NIL)
		INVALID(errmsg("argument \"%s\" must be a list of column names", argument));
	return bi_texts_copy(names);
}

void
bi_argument_of_values(const BiValues *values, BiRequest *request)
{
	BiSpec	   *spec = &request->spec;

	bi_values_require(values, BI_ARG_QUERY);
	bi_values_require(values, BI_ARG_SERVER);
	memset(request, 0, sizeof(*request));
	spec->query = bi_values_text(values, BI_ARG_QUERY);
	spec->prompt = bi_values_text(values, BI_ARG_PROMPT);
	spec->system_prompt = bi_values_text(values, BI_ARG_SYSTEM_PROMPT);
	spec->model = bi_values_text(values, BI_ARG_MODEL);
	spec->task = bi_values_word(values, BI_ARG_TASK, BI_TASK_CHAT);
	spec->write_back = bi_values_object(values, BI_ARG_WRITE_BACK);
	spec->response_schema = bi_values_ordered(values, BI_ARG_RESPONSE_SCHEMA);
	spec->params = bi_values_ordered(values, BI_ARG_PARAMS);
	spec->max_attempts = attempts_argument(values);
	spec->max_failure_rate = rate_argument(values);
	read_max_cost(values, spec);
	spec->write_if = bi_values_word(values, BI_ARG_WRITE_IF, BI_WRITE_IF_UNCHANGED);
	spec->write_mode = bi_values_word(values, BI_ARG_WRITE_MODE, BI_WRITE_MODE_UPDATE);
	spec->each = bi_values_text(values, BI_ARG_EACH);
	request->conflict = bi_values_text(values, BI_ARG_CONFLICT);
	request->replace_by = bi_values_text(values, BI_ARG_REPLACE_BY);
	spec->in_flight = bi_values_word(values, BI_ARG_IN_FLIGHT, BI_IN_FLIGHT_SKIP);
	request->server = pstrdup(NameStr(*DatumGetName(values->value[BI_ARG_SERVER])));
	request->key = bi_values_text(values, BI_ARG_KEY);
	if (values->given[BI_ARG_TARGET])
		request->target = DatumGetObjectId(values->value[BI_ARG_TARGET]);
	request->name = bi_values_text(values, BI_ARG_NAME);
	spec->keep = keep_argument(values);
	read_times(values, request);
	read_copies(values, request);
	request->idempotency_key = bi_values_text(values, BI_ARG_IDEMPOTENCY_KEY);
	if (request->idempotency_key)
		request->given = bi_values_given(values);
}

void
bi_argument_read(FunctionCallInfo fcinfo, BiRequest *request)
{
	BiValues   *values = palloc(sizeof(BiValues));

	bi_values_of_call(fcinfo, values);
	bi_argument_of_values(values, request);
}
