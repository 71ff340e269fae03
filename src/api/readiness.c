/*
 * api/readiness.c: batch_readiness: is a batch the right way for this job?
 *
 * Takes the arguments of batch_submit and what only the caller knows: how long an answer may take,
 * and what other ways cost.  Collects the facts that the worksheet (store/worksheet.c) judges, and
 * writes the recommended call.  Stores nothing and sends nothing.
 *
 * The minimum of a batch is a fact here, not an error as for batch_submit.
 */
#include "postgres.h"

#include "base/guc.h"
#include "base/steady.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intake/argument.h"
#include "intake/bounds.h"
#include "intake/enroll.h"
#include "intake/stored.h"
#include "intake/survey.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/forecast.h"
#include "store/outlook.h"
#include "store/sql.h"
#include "store/worksheet.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(batchinf_readiness);

/* The arguments behind those of batch_submit, in their order. */
enum
{
	ACCEPTABLE_DELAY, CAPACITY_COST, RUNS_PER_MONTH, PROVISIONED_PER_HOUR, OWN_ARGUMENTS
};

static const char *const own_names[] = {
	"acceptable_delay", "capacity_cost", "runs_per_month", "provisioned_per_hour"
};

/* The facts, as the members of a JSON object */

/* text: NULL for a fact that is not known */
static void
add_text(StringInfo facts, const char *name, const char *text)
{
	appendStringInfo(facts, "%s\"%s\": ", facts->len > 0 ? ", " : "", name);
	if (text)
		escape_json(facts, text);
	else
		appendStringInfoString(facts, "null");
}

static void
add_int8(StringInfo facts, const char *name, int64 value)
{
	add_text(facts, name, psprintf(INT64_FORMAT, value));
}

static void
add_numeric(StringInfo facts, const char *name, Numeric value)
{
	add_text(facts, name, value == NULL ? NULL
			 : DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value))));
}

/* Returns an argument that is a number; NULL for NULL.  Raises an error if it is negative. */
static Numeric
number_argument(FunctionCallInfo fcinfo, int place, const char *name)
{
	Numeric		value;

	if (PG_ARGISNULL(place))
		return NULL;
	value = PG_GETARG_NUMERIC(place);
	if (numeric_is_nan(value) || numeric_is_inf(value) ||
		DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(value),
										 NumericGetDatum(int64_to_numeric(0)))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a number that is not negative", name)));
	return value;
}

/* Returns the acceptable delay as text; NULL for NULL. */
static char *
delay_argument(FunctionCallInfo fcinfo, int place)
{
	Interval	zero = {0};
	Datum		delay;
	char	   *text;
	int			level;

	if (PG_ARGISNULL(place))
		return NULL;
	delay = PG_GETARG_DATUM(place);
	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, delay, IntervalPGetDatum(&zero))) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a positive interval",
						own_names[ACCEPTABLE_DELAY])));
	level = bi_steady_begin();
	text = DatumGetCString(DirectFunctionCall1(interval_out, delay));
	bi_steady_end(level);
	return text;
}

static void
add_own(StringInfo facts, FunctionCallInfo fcinfo)
{
	int			first = PG_NARGS() - OWN_ARGUMENTS;

	add_text(facts, own_names[ACCEPTABLE_DELAY], delay_argument(fcinfo, first));
	for (int i = CAPACITY_COST; i < OWN_ARGUMENTS; i++)
		add_numeric(facts, own_names[i], number_argument(fcinfo, first + i, own_names[i]));
}

static void
add_survey(StringInfo facts, const BiSurvey *survey, const BiBounds *bounds)
{
	add_int8(facts, "records", survey->sent);
	add_int8(facts, "chunks", list_length(survey->planned.chunks));
	add_int8(facts, "bytes", survey->bytes);
	add_int8(facts, "windows", bounds->windows);
}

static void
add_forecast(StringInfo facts, const BiForecast *forecast)
{
	add_int8(facts, "output_tokens", forecast->output);
	add_numeric(facts, "cost", forecast->cost);
	add_numeric(facts, "realtime_cost", forecast->realtime_cost);
}

static void
add_outlook(StringInfo facts, const BiOutlook *outlook)
{
	add_int8(facts, "batches", outlook->batches);
	add_numeric(facts, "hours_p50", outlook->hours_p50);
	add_numeric(facts, "hours_p95", outlook->hours_p95);
	add_numeric(facts, "hours_p99", outlook->hours_p99);
	add_numeric(facts, "late", outlook->late);
	add_int8(facts, "answers", outlook->answers);
	add_numeric(facts, "failed", outlook->failed);
	add_int8(facts, "in_use", outlook->in_use);
	add_int8(facts, "waiting", outlook->waiting);
	add_text(facts, "paused", outlook->paused);
}

/* Returns how long something stays, in words. */
static char *
describe_keep(int seconds)
{
	return seconds < 0 ? pstrdup("for ever") : psprintf("%d days", seconds / SECS_PER_DAY);
}

/* True if this session listens to the end of jobs. */
static bool
listens(void)
{
	return bi_sql_run_as_is("SELECT FROM pg_catalog.pg_listening_channels() c(name)"
							" WHERE c.name OPERATOR(pg_catalog.=) 'batchinf'", NULL) > 0;
}

static void
add_job(StringInfo facts, const BiJob *job, const BiValues *values)
{
	char	   *left_over = bi_values_text(values, BI_ARG_LEFT_OVER);

	add_int8(facts, "max_attempts", job->spec.max_attempts);
	if (!TIMESTAMP_NOT_FINITE(job->deadline))
		add_text(facts, "deadline_hours",
				 psprintf("%.3f", (double) (job->deadline - GetCurrentTimestamp()) /
						  USECS_PER_HOUR));
	add_text(facts, "left_over", left_over ? left_over : "stop");
	add_text(facts, "owner", GetUserNameFromId(job->owner, false));
	add_text(facts, "listens", listens() ? "true" : "false");
	add_text(facts, "keep",
			 job->spec.keep ? psprintf("inputs and outputs %s", job->spec.keep)
			 : psprintf("inputs %s, outputs %s", describe_keep(bi_guc_keep_inputs),
						describe_keep(bi_guc_keep_results)));
}

/* The recommendation */

/* True if the argument is built: before, a call with it would be refused. */
static bool
is_built(BiArgument arg)
{
	return bi_listed[arg].today == NULL;
}

/* Writes the recommended call.  The values are a copy of the caller's. */
static void
recommend(BiJudgement *line, BiValues *values)
{
	bool		is_hybrid = strcmp(line->verdict, "hybrid") == 0;
	bool		is_now = strcmp(line->verdict, "flex") == 0 ||
		strcmp(line->verdict, "realtime") == 0;
	BiArgument	arg = is_hybrid ? BI_ARG_LEFT_OVER : BI_ARG_MODE;
	char	   *more = NULL;

	if (is_hybrid || is_now)
	{
		values->given[arg] = false;
		more = psprintf("%s => '%s'", bi_listed[arg].name, is_hybrid ? "realtime" : line->verdict);
		if (!is_built(arg))
			line->reason = psprintf("%s. This version does not take %s, so that the call sends"
									" batches", line->reason, more);
	}
	line->value = bi_stored_call(values, more && is_built(arg) ? more : NULL);
}

static void
give_lines(ReturnSetInfo *result, const List *lines)
{
	ListCell   *cell;

	foreach(cell, lines)
	{
		const BiJudgement *line = lfirst(cell);
		const char *texts[] = {line->factor, line->value, line->verdict, line->reason};
		Datum		values[lengthof(texts)];
		bool		nulls[lengthof(texts)];

		for (int i = 0; i < lengthof(texts); i++)
		{
			nulls[i] = texts[i] == NULL;
			values[i] = texts[i] ? CStringGetTextDatum(texts[i]) : (Datum) 0;
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Returns the lines for the job that is open to be looked at. */
static List *
judge(FunctionCallInfo fcinfo, BiEnroll *enroll, const BiValues *values)
{
	const BiJob *job = &enroll->job;
	BiLimits   *limits = &enroll->intake->limits;
	int64		min_requests = limits->min_requests;
	StringInfoData facts;
	BiSurvey	survey;
	BiForecast	forecast;
	BiOutlook	outlook;
	BiBounds	bounds;

	initStringInfo(&facts);
	add_own(&facts, fcinfo);
	limits->min_requests = 1;
	bi_survey_run(enroll, &survey);
	bi_forecast_make(job->server, &job->spec, survey.sent, survey.tokens, &forecast);
	bi_outlook_read(job->server, job->spec.model, job->owner, &outlook);
	bounds = bi_bounds_find(enroll, &survey, &outlook);
	add_int8(&facts, "min_requests", min_requests);
	add_int8(&facts, "max_batches", limits->max_batches);
	add_survey(&facts, &survey, &bounds);
	add_forecast(&facts, &forecast);
	add_outlook(&facts, &outlook);
	add_job(&facts, job, values);
	return bi_worksheet_fill(psprintf("{%s}", facts.data), job->server, job->spec.model,
							 survey.sent, &forecast);
}

/* batch_readiness(query text, server name, …, acceptable_delay interval, capacity_cost numeric,
 * runs_per_month numeric, provisioned_per_hour numeric) RETURNS TABLE(factor text, value text,
 * verdict text, reason text): a row for each factor, then the recommendation. */
Datum
batchinf_readiness(PG_FUNCTION_ARGS)
{
	BiValues	values;
	BiRequest	request;
	BiEnroll	enroll = {.only_look = true};
	List	   *lines;

	InitMaterializedSRF(fcinfo, 0);
	bi_values_of_call(fcinfo, &values);
	bi_argument_of_values(&values, &request);
	bi_sql_connect();
	bi_enroll_open(&enroll, &request);
	lines = judge(fcinfo, &enroll, &values);
	recommend(llast(lines), &values);
	give_lines((ReturnSetInfo *) fcinfo->resultinfo, lines);
	bi_sql_finish();
	return (Datum) 0;
}
