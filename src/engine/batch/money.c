/*
 * engine/batch/money.c: is there money for this chunk?
 *
 * The moment before anything of a chunk can be paid for.  What it may cost (the p95 of its
 * forecast: 19 of 20 chunks like it cost less) is reserved in the transaction that claims it, or
 * the chunk is not sent.  A limit is the job's max_cost, or a budget that counts the job.  What
 * follows if one leaves too little:
 *
 *   - If the batches under way leave enough once they have cost what they may: the chunk waits for
 *     them.  Most cost less than they reserve.
 *   - max_cost, and a budget with on_exceed "refuse": the records end here, "errored", with both
 *     figures.  A record that was sent before keeps what came of that.  The job ends when its
 *     other chunks do; batch_retry sends such records again, and they come here again.
 *   - "wait": it waits for the end of the period.  A budget that is changed wakes it.
 *   - "warn": it is sent, and an event says so.
 *
 * Without a price no limit can be kept.  Then each limit does as if it were used up.
 *
 * Why not when the job is submitted?  A row that a user's transaction has written is locked until
 * that ends: an idle session would hold up whoever counts.  So batch_submit only reads
 * (intake/purse.c), and two jobs that both seemed to fit meet here.
 *
 * Claims are made one after another, in all processes of a database (bi_chunk_lock_claims): two
 * chunks cannot both find the last money.  So a limit is passed by no more than what batches
 * under way cost above what they reserve.
 */
#include "postgres.h"

#include "engine/batch/money.h"
#include "engine/batch/unsent.h"
#include "engine/react.h"
#include "store/ceiling.h"
#include "store/event.h"
#include "store/forecast.h"
#include "utils/timestamp.h"

/* The longest wait for money, if nothing wakes the chunk before: a price may have been set, or a
 * session has changed a budget at the moment when the chunk began to wait. */
#define WAIT_CAP_MS (10 * 60 * 1000)

/* What a ceiling means for a chunk. */
typedef enum Finding
{
	FITS,
	WARN,						/* it is sent and reported */
	SETTLES,					/* it waits until batches under way have ended */
	WAIT,						/* it waits for the next period */
	REFUSE
} Finding;

static Finding
judge(const BiCeiling *ceiling)
{
	if (ceiling->on_exceed == BI_ON_EXCEED_WARN)
		return WARN;
	if (!ceiling->is_spent)
		return SETTLES;
	return ceiling->on_exceed == BI_ON_EXCEED_WAIT ? WAIT : REFUSE;
}

/* Returns the figures, for people. */
static char *
describe(const BiStep *step, const BiCeiling *ceiling, Numeric need)
{
	const char *limit = ceiling->is_budget
		? psprintf("%s: %s US dollars", ceiling->name, ceiling->amount)
		: psprintf("max_cost of the job: %s US dollars", ceiling->amount);

	if (need == NULL)
		return psprintf("%s, and model \"%s\" has no price", limit, step->job->spec.model);
	return psprintf("%s, %s spent and %s reserved; this batch may cost %s", limit,
					ceiling->spent, ceiling->reserved, bi_ceiling_text(need));
}

/* Returns what the chunk waits for: what, how long, and what one can do. */
static char *
describe_wait(const BiStep *step, const BiCeiling *ceiling, Numeric need)
{
	const char *figures = describe(step, ceiling, need);

	if (need == NULL)
		return psprintf("%s; batch_set_price() gives it one", figures);
	if (!ceiling->is_spent)
		return psprintf("%s; it goes on when batches under way have ended", figures);
	if (TIMESTAMP_IS_NOEND(ceiling->until) || bi_ceiling_never_fits(ceiling, need))
		return psprintf("%s; it goes on when batch_set_budget() gives more, and batch_cancel("
						INT64_FORMAT ") ends the job", figures, step->job->id);
	return psprintf("%s; it has money again at %s, or when batch_set_budget() gives more", figures,
					timestamptz_to_str(ceiling->until));
}

static void
wait_for_money(BiStep *step, const BiCeiling *ceiling, Numeric need)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		ms = TIMESTAMP_IS_NOEND(ceiling->until) ? WAIT_CAP_MS
		: TimestampDifferenceMilliseconds(now, ceiling->until) + 1;

	bi_step_wait(step, BI_WAIT_BUDGET, describe_wait(step, ceiling, need),
				 Min(ms, WAIT_CAP_MS));
}

/* Returns what the chunk costs at most, 19 times of 20; NULL if a price is missing. */
static Numeric
forecast(const BiStep *step)
{
	const BiChunk *chunk = step->chunk;
	BiForecast	forecast;

	bi_forecast_make(step->job->server, &step->job->spec, chunk->records, chunk->tokens,
					 &forecast);
	return forecast.cost_p95;
}

/* Acts on the strictest of the ceilings, which are too low.  True if the chunk is sent. */
static bool
obey(BiStep *step, const List *ceilings, Numeric need)
{
	const BiCeiling *worst = NULL;
	Finding		finding = FITS;
	ListCell   *cell;

	foreach(cell, ceilings)
	{
		const BiCeiling *ceiling = lfirst(cell);

		if (judge(ceiling) > finding)
		{
			worst = ceiling;
			finding = judge(ceiling);
		}
	}
	switch (finding)
	{
		case FITS:
			return true;
		case WARN:
			bi_event_add(step->chunk, "over budget", describe(step, worst, need), 0, NULL);
			return true;
		case SETTLES:
		case WAIT:
			wait_for_money(step, worst, need);
			return false;
		case REFUSE:
			bi_unsent_end(step, worst->is_budget ? "over_budget" : "over_max_cost",
						  describe(step, worst, need));
			/* Nothing of it ends that others wait for: they are to look for themselves. */
			bi_ceiling_wake(step->job);
			return false;
	}
	return true;
}

bool
bi_money_reserve(BiStep *step)
{
	Numeric		need = forecast(step);

	if (!obey(step, bi_ceiling_exceeded(step->job, need), need))
		return false;
	if (need)
		bi_ceiling_reserve(step->chunk->id, need);
	return true;
}
