/*
 * api/estimate.c: batch_estimate: what a job would be and cost, before it is submitted.
 *
 * Takes the arguments of batch_submit, refuses what it refuses, and reads the query as the caller.
 * Stores nothing and sends nothing.
 */
#include "postgres.h"

#include "base/texts.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intake/argument.h"
#include "intake/bounds.h"
#include "intake/enroll.h"
#include "intake/purse.h"
#include "intake/survey.h"
#include "miscadmin.h"
#include "store/forecast.h"
#include "store/outlook.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(batchinf_estimate);

/* The columns of the result. */
enum
{
	RECORDS, SKIPPED, REPEATS, CACHED, IN_FLIGHT, CHUNKS, BYTES, INPUT_TOKENS, OUTPUT_TOKENS,
	OUTPUT_TOKENS_P95, COST, COST_P95, REALTIME_COST, SAVING, UNPRICED, LIMITS, HOURS_P50,
	HOURS_P95, ERROR_OF_PAST, COLUMNS
};

/* The row of the result. */
typedef struct Row
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
} Row;

static void
set_int8(Row *row, int column, int64 value)
{
	row->values[column] = Int64GetDatum(value);
}

/* value: NULL for NULL */
static void
set_numeric(Row *row, int column, Numeric value)
{
	row->nulls[column] = value == NULL;
	row->values[column] = NumericGetDatum(value);
}

static void
set_counts(Row *row, const BiSurvey *survey)
{
	set_int8(row, RECORDS, survey->planned.records);
	set_int8(row, SKIPPED, survey->planned.skipped);
	set_int8(row, REPEATS, survey->repeats);
	set_int8(row, CACHED, survey->planned.cached);
	set_int8(row, IN_FLIGHT, survey->planned.already);
	row->values[CHUNKS] = Int32GetDatum(list_length(survey->planned.chunks));
	set_int8(row, BYTES, survey->bytes);
}

static void
set_forecast(Row *row, const BiForecast *forecast)
{
	Numeric		saving = NULL;

	if (forecast->cost && forecast->realtime_cost)
		saving = DatumGetNumeric(DirectFunctionCall2(numeric_sub,
													 NumericGetDatum(forecast->realtime_cost),
													 NumericGetDatum(forecast->cost)));
	set_int8(row, INPUT_TOKENS, forecast->input);
	set_int8(row, OUTPUT_TOKENS, forecast->output);
	set_int8(row, OUTPUT_TOKENS_P95, forecast->output_p95);
	set_numeric(row, COST, forecast->cost);
	set_numeric(row, COST_P95, forecast->cost_p95);
	set_numeric(row, REALTIME_COST, forecast->realtime_cost);
	set_numeric(row, SAVING, saving);
	row->values[UNPRICED] = BoolGetDatum(forecast->cost == NULL);
	set_numeric(row, ERROR_OF_PAST, forecast->error);
}

/* Returns the hours of that many batches, one after the other; NULL for NULL. */
static Numeric
multiply(Numeric hours, int64 windows)
{
	if (hours == NULL)
		return NULL;
	return DatumGetNumeric(DirectFunctionCall2(numeric_mul, NumericGetDatum(hours),
											   NumericGetDatum(int64_to_numeric(windows))));
}

static void
set_limits(Row *row, const BiBounds *bounds, const BiOutlook *outlook)
{
	row->values[LIMITS] = bi_texts_array(bounds->words);
	set_numeric(row, HOURS_P50, multiply(outlook->hours_p50, bounds->windows));
	set_numeric(row, HOURS_P95, multiply(outlook->hours_p95, bounds->windows));
}

/* batch_estimate(query text, server name, …) RETURNS TABLE(records bigint, …): one row. */
Datum
batchinf_estimate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	BiRequest	request;
	BiEnroll	enroll = {.only_look = true};
	BiSurvey	survey;
	BiForecast	forecast;
	BiOutlook	outlook;
	BiBounds	bounds;
	Row			row = {0};

	InitMaterializedSRF(fcinfo, 0);
	bi_argument_read(fcinfo, &request);
	bi_sql_connect();
	bi_enroll_open(&enroll, &request);
	bi_survey_run(&enroll, &survey);
	bi_intake_warn(enroll.intake, &survey.planned);
	bi_forecast_make(enroll.job.server, &enroll.job.spec, survey.sent, survey.tokens, &forecast);
	bi_outlook_read(enroll.job.server, enroll.job.spec.model, GetUserId(), &outlook);
	bounds = bi_bounds_find(&enroll, &survey, &outlook);
	bounds.words = list_concat(bounds.words, bi_purse_words(&enroll.job, &survey.planned));
	set_counts(&row, &survey);
	set_forecast(&row, &forecast);
	set_limits(&row, &bounds, &outlook);
	tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
	bi_sql_finish();
	return (Datum) 0;
}
