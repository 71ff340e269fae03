/*
 * engine/batch/gate.c: may this chunk be sent now?
 *
 * Nothing of it is paid for yet, so that it can wait for what would make the payment pointless or
 * the provider refuse:
 *
 * - the target of its job cannot be written;
 * - the job is sent later (start_after), or at another time of the day (submit_window);
 * - it has fewer records than the provider takes in a batch: it waits for others of its job that
 *   have to be sent again, takes them in, and ends its records if there never are enough;
 * - too many answers of its job have failed (max_failure_rate);
 * - the server is full, by one of its limits;
 * - there is no money for it: a budget, or the job's max_cost (money.c).  This comes last, because
 *   what passes it has reserved its money.
 */
#include "postgres.h"

#include "base/window.h"
#include "engine/batch/gate.h"
#include "engine/batch/money.h"
#include "engine/batch/unsent.h"
#include "engine/react.h"
#include "lib/stringinfo.h"
#include "store/aim.h"
#include "store/flight.h"
#include "store/gather.h"
#include "store/rate.h"
#include "utils/timestamp.h"

#define DAY_MS (24 * 60 * 60 * INT64CONST(1000))

/* The longest wait for room, if nobody wakes the chunk before. */
#define ROOM_CAP_MS (10 * 60 * 1000)

/* A limit of the server, as one chunk sees it. */
typedef struct Limit
{
	const char *option;			/* of the server */
	int64		used;			/* by the batches that are there or on the way */
	int64		needed;			/* by this chunk's batch */
	int64		most;			/* 0: no limit, or it does not count for this chunk */
} Limit;

#define NLIMITS 4

static void
set_limits(const BiStep *step, const BiFlight *flight, Limit limits[NLIMITS])
{
	const BiLimits *most = &step->limits;
	const BiChunk *chunk = step->chunk;
	/* A batch that is larger than a limit may go alone. */
	bool		is_alone = flight->batches == 0;
	/* Whatever is uploaded has its file already. */
	bool		has_file = chunk->state != BI_CHUNK_PLANNED;

	limits[0] = (Limit) {"max_batches", flight->batches, 1, most->max_batches};
	limits[1] = (Limit) {"max_enqueued_tokens", flight->tokens, chunk->tokens,
						 is_alone ? 0 : most->max_enqueued_tokens};
	limits[2] = (Limit) {"max_enqueued_requests", flight->requests, chunk->records,
						 is_alone ? 0 : most->max_enqueued_requests};
	limits[3] = (Limit) {"max_files", flight->files, 1, has_file ? 0 : most->max_files};
}

static char *
describe_full(const Limit *limit)
{
	char	   *text = psprintf("server limit %s: " INT64_FORMAT " of " INT64_FORMAT " in use",
								limit->option, limit->used, limit->most);

	if (limit->used >= limit->most)
		return text;
	return psprintf("%s, and this batch needs " INT64_FORMAT, text, limit->needed);
}

/* There is room, but others have waited for it: it is kept for them, until they must have come. */
static char *
describe_kept(const BiFlight *flight, const Limit limits[NLIMITS])
{
	StringInfoData text;
	const char *separator = "server limits:";

	initStringInfo(&text);
	for (int i = 0; i < NLIMITS; i++)
	{
		if (limits[i].most <= 0)
			continue;
		appendStringInfo(&text, "%s %s " INT64_FORMAT " of " INT64_FORMAT, separator,
						 limits[i].option, limits[i].used, limits[i].most);
		separator = ",";
	}
	appendStringInfoString(&text, " in use; ");
	if (flight->jobs_first == 1)
		appendStringInfoString(&text, "1 job with fewer batches or older chunks goes first");
	else
		appendStringInfo(&text, INT64_FORMAT " jobs with fewer batches or older chunks go first",
						 flight->jobs_first);
	return text.data;
}

static bool
has_limits(const BiLimits *limits)
{
	return limits->max_batches > 0 || limits->max_enqueued_tokens > 0 ||
		limits->max_enqueued_requests > 0 || limits->max_files > 0;
}

/*
 * Returns which limit has no room for this chunk's batch, or NULL.  Lowers *delay_ms if it may have
 * some sooner.  What is planned leaves room to
 * those of its owner whose inputs are there already, and to those that come before it.
 */
static char *
no_room(BiStep *step, int64 *delay_ms)
{
	bool		planned = step->chunk->state == BI_CHUNK_PLANNED;
	BiFlight	flight;
	Limit		limits[NLIMITS];

	if (!has_limits(&step->limits))
		return NULL;
	flight = bi_flight_at(step->job, step->chunk, planned);
	set_limits(step, &flight, limits);
	for (int i = 0; i < NLIMITS; i++)
		if (limits[i].most > 0 && limits[i].used + limits[i].needed > limits[i].most)
			return describe_full(&limits[i]);
	if (!planned || flight.jobs_first == 0)
		return NULL;
	bi_flight_wake(step->job->server, 1);
	*delay_ms = Min(*delay_ms, BI_FLIGHT_CALLED_S * 1000);
	return describe_kept(&flight, limits);
}

/* True if nothing more of this job is to be sent now, or the server has no room for it. */
static bool
must_wait(BiStep *step)
{
	int64		delay = Min(10 * bi_react_poll_ms(step), ROOM_CAP_MS);
	const char *few_answers = bi_rate_hold(step->job, step->chunk);
	char	   *full;

	if (few_answers)
	{
		bi_step_wait(step, BI_WAIT_FAILURE_RATE, few_answers, delay);
		return true;
	}
	full = no_room(step, &delay);
	if (full)
		bi_step_wait(step, BI_WAIT_ROOM, full, delay);
	return full != NULL;
}

/* Waits for records of the job that have to be sent again: they may join this chunk. */
static void
wait_for_company(BiStep *step, int64 min_records)
{
	int64		records = step->chunk->records;
	int64		min = step->limits.min_requests;
	char	   *words;

	if (records < min)
		words = psprintf("server limit min_requests: " INT64_FORMAT " of " INT64_FORMAT
						 " records; it waits for others of the job that have to be sent again",
						 records, min);
	else
		words = psprintf("server limit min_requests: " INT64_FORMAT " records to be sent again; it"
						 " waits for " INT64_FORMAT ", twice the limit, so that later ones are not"
						 " too few", records, min_records);
	bi_step_wait(step, BI_WAIT_COMPANY, words, bi_react_poll_ms(step));
}

/* True if the provider would refuse so small a batch: it is not sent now, or not at all. */
static bool
is_too_small(BiStep *step)
{
	BiChunk    *chunk = step->chunk;
	const BiLimits *limits = &step->limits;
	int64		min = limits->min_requests;
	/* A retry with just enough records would leave too few to those that come later. */
	int64		min_records = min > 1 && chunk->attempt > 1 ? 2 * min : min;

	if (chunk->records >= min_records)
		return false;
	bi_gather_small(chunk, min_records, limits->max_requests, limits->max_bytes);
	if (chunk->records >= min_records)
		return false;
	if (bi_gather_more(chunk, min_records))
	{
		wait_for_company(step, min_records);
		return true;
	}
	if (chunk->records >= min)
		return false;
	bi_unsent_end(step, "too_few_records",
				  psprintf(INT64_FORMAT " records, fewer than the " INT64_FORMAT
						   " that a batch needs", chunk->records, min));
	return true;
}

/* True if the target cannot be written: an answer for it would be paid for in vain. */
static bool
is_target_amiss(BiStep *step)
{
	const BiJob *job = step->job;
	char	   *why = OidIsValid(job->target) ? bi_aim_find(job)->why : NULL;
	int64		delay;

	if (why == NULL)
		return false;
	delay = Min(BI_STEP_AGAIN_MS, bi_react_poll_ms(step));
	bi_step_wait(step, BI_WAIT_TARGET,
				 psprintf("%s; it is looked at again every " INT64_FORMAT
						  " s, or at once by batch_resume(" INT64_FORMAT ")",
						  why, delay / 1000, job->id),
				 delay);
	return true;
}

/* Says until when nothing of the job is sent. */
static void
wait_until(BiStep *step, const char *words, TimestampTz when)
{
	int64		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when);

	bi_step_wait(step, BI_WAIT_TIME, psprintf("%s %s", words, timestamptz_to_str(when)),
				 Min(ms, DAY_MS));
}

/* True if the time at which the job may be sent has not come.  After a day it is asked again. */
static bool
is_too_early(BiStep *step)
{
	const BiSpec *spec = &step->job->spec;
	TimestampTz now = GetCurrentTimestamp();
	BiWindow	window;
	TimestampTz opens;

	if (spec->start_after > now)
	{
		wait_until(step, "argument start_after: it is sent after", spec->start_after);
		return true;
	}
	if (spec->submit_window == NULL || bi_window_read(spec->submit_window, &window) != NULL)
		return false;
	opens = bi_window_opens(&window, now);
	if (opens <= now)
		return false;
	wait_until(step, psprintf("argument submit_window: %s opens", spec->submit_window), opens);
	return true;
}

bool
bi_gate_is_closed(BiStep *step)
{
	switch (step->chunk->state)
	{
		case BI_CHUNK_PLANNED:
			return is_target_amiss(step) || is_too_early(step) || is_too_small(step) ||
				must_wait(step) || !bi_money_reserve(step);
		case BI_CHUNK_UPLOADING:
			return is_target_amiss(step);
		case BI_CHUNK_UPLOADED:
			return is_target_amiss(step) || is_too_early(step) || must_wait(step);
		default:
			return false;
	}
}
