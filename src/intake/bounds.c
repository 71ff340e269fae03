/*
 * intake/bounds.c: which limits a job will meet, in words.
 *
 * A window is the time that a provider takes for a batch, up to a day.  What does not fit at once
 * waits for the next one.  Nothing here holds a job up: the engine does, and looks by itself.
 */
#include "postgres.h"

#include "intake/bounds.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* One limit, and what the job needs of it. */
typedef struct Need
{
	const char *option;			/* of the server */
	const char *what;
	int64		needed;
	int64		most;			/* at a time; 0: no limit */
} Need;

static void
add(BiBounds *bounds, char *sentence)
{
	bounds->words = lappend(bounds->words, sentence);
}

/* Returns how many times of that size it takes, at least 1. */
static int64
times(int64 needed, int64 most)
{
	return most <= 0 || needed <= most ? 1 : (needed - 1) / most + 1;
}

static void
look_at_batches(BiBounds *bounds, int64 chunks, int64 max_batches)
{
	int64		windows = times(chunks, max_batches);

	if (windows > 1)
		add(bounds, psprintf("needs " INT64_FORMAT " batches, " INT64_FORMAT
							 " at a time, so at least " INT64_FORMAT " windows",
							 chunks, max_batches, windows));
	bounds->windows = Max(bounds->windows, windows);
}

static void
look_at_need(BiBounds *bounds, const Need *need)
{
	int64		windows = times(need->needed, need->most);

	if (windows > 1)
		add(bounds, psprintf("has " INT64_FORMAT " %s, of which the server takes " INT64_FORMAT
							 " at a time (%s), so at least " INT64_FORMAT " windows",
							 need->needed, need->what, need->most, need->option, windows));
	bounds->windows = Max(bounds->windows, windows);
}

/* Returns the option that makes a job be cut into several batches. */
static const char *
cutting_option(const BiLimits *limits, const BiSurvey *survey)
{
	int64		by_records = times(survey->sent, limits->max_requests);
	int64		by_bytes = times(survey->bytes, limits->max_bytes);
	int64		by_tokens = times(survey->tokens, limits->max_enqueued_tokens);

	if (by_tokens >= by_bytes && by_tokens > by_records)
		return "max_enqueued_tokens";
	return by_bytes > by_records ? "max_bytes" : "max_requests";
}

static void
look_at_sizes(BiBounds *bounds, const BiLimits *limits, const BiSurvey *survey)
{
	int			chunks = list_length(survey->planned.chunks);

	if (chunks > 1)
		add(bounds, psprintf("is cut into %d batches, mostly by %s", chunks,
							 cutting_option(limits, survey)));
	if (limits->min_requests > 1)
		add(bounds, psprintf("a batch has at least " INT64_FORMAT " records (min_requests): fewer"
							 " that have to be sent again wait for others of the job",
							 limits->min_requests));
}

/* What keeps the first batch from going off at once. */
static void
look_at_times(BiBounds *bounds, const BiSpec *spec)
{
	if (!TIMESTAMP_NOT_FINITE(spec->start_after) && spec->start_after > GetCurrentTimestamp())
		add(bounds, psprintf("is not sent before %s (start_after)",
							 timestamptz_to_str(spec->start_after)));
	if (spec->submit_window)
		add(bounds, psprintf("is sent within %s only (submit_window)", spec->submit_window));
}

static void
look_at_server(BiBounds *bounds, const BiLimits *limits, const BiOutlook *outlook)
{
	if (outlook->paused)
		add(bounds, psprintf("the server is paused %s", outlook->paused));
	if (limits->max_batches > 0 && outlook->in_use >= limits->max_batches)
		add(bounds, psprintf(INT64_FORMAT " of " INT64_FORMAT
							 " batches of the server are in use now (max_batches)",
							 outlook->in_use, limits->max_batches));
}

static double
as_double(Numeric number)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(number)));
}

/* A deadline that past batches would have missed. */
static void
look_at_deadline(BiBounds *bounds, TimestampTz deadline, const BiOutlook *outlook)
{
	double		left = (double) (deadline - GetCurrentTimestamp()) / USECS_PER_HOUR;
	double		hours;

	if (TIMESTAMP_NOT_FINITE(deadline) || outlook->hours_p95 == NULL)
		return;
	hours = as_double(outlook->hours_p95) * bounds->windows;
	if (hours > left)
		add(bounds, psprintf("its deadline leaves %.2f hours; going by past batches it takes up to"
							 " %.2f", left, hours));
}

BiBounds
bi_bounds_find(const BiEnroll *enroll, const BiSurvey *survey, const BiOutlook *outlook)
{
	BiBounds	bounds = {NIL, 1};
	const BiLimits *limits = &enroll->intake->limits;
	int64		chunks = list_length(survey->planned.chunks);

	if (chunks == 0)
		return (BiBounds) {NIL, 0};
	look_at_batches(&bounds, chunks, limits->max_batches);
	look_at_need(&bounds, &(Need) {"max_enqueued_tokens", "estimated tokens of input",
					 survey->tokens, limits->max_enqueued_tokens});
	look_at_need(&bounds, &(Need) {"max_enqueued_requests", "records", survey->sent,
					 limits->max_enqueued_requests});
	look_at_need(&bounds, &(Need) {"max_files", "files", chunks, limits->max_files});
	look_at_sizes(&bounds, limits, survey);
	look_at_times(&bounds, &enroll->job.spec);
	look_at_server(&bounds, limits, outlook);
	look_at_deadline(&bounds, enroll->job.deadline, outlook);
	return bounds;
}
