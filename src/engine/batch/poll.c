/*
 * engine/batch/poll.c: asks where a batch stands.
 *
 * A batch that waits or runs is asked for again, at the server's poll interval and then more and
 * more slowly.  One that has ended is fetched, even if it was cancelled or expired: it may have
 * answers.  One that the provider refused for quota or load is made again from the same input, one
 * that it refused for its content ends its records.
 */
#include "postgres.h"

#include "engine/batch/find.h"
#include "engine/batch/poll.h"
#include "engine/call.h"
#include "engine/react.h"
#include "utils/timestamp.h"

/* Polls wait 20 % longer each time, up to ten times the poll interval and at most this time, unless
 * the poll interval itself is longer. */
#define POLL_CAP_MS (10 * 60 * 1000)
#define POLL_FACTOR 1.2

/* A batch that was refused for quota waits up to this time. */
#define QUOTA_CAP_MS (60 * 60 * 1000)

/* A batch is young for this many settle times. */
#define YOUNG_SETTLES 6

static int64
next_poll_ms(BiStep *step)
{
	int64		poll = bi_react_poll_ms(step);
	int64		cap = Max(poll, Min(POLL_CAP_MS, 10 * poll));

	return bi_react_backoff(poll, POLL_FACTOR, cap, step->chunk->polls++);
}

/* The batch has not ended.  A quiet poll that found nothing new ends here: it writes nothing. */
static void
still_there(BiStep *step, const BiStepExchange *exchange, bool running, bool is_new)
{
	const char *event = running ? "running" : "accepted";
	BiChunkState to = running ? BI_CHUNK_RUNNING : BI_CHUNK_SUBMITTED;
	BiStepSave *save;

	if (step->chunk->state == BI_CHUNK_CANCELLING)
		to = BI_CHUNK_CANCELLING;
	if (step->is_unclaimed && to == step->saved_state && !is_new &&
		step->chunk->failures == 0 && step->server_failures == 0)
		return;
	save = bi_react_begin_save(step, exchange, to, to == step->saved_state ? NULL : event);
	step->chunk->failures = 0;
	save->server_works = true;
	save->delay_ms = next_poll_ms(step);
	bi_step_save(step, NULL);
}

/* Records that the batch ended.  The event quotes its first fault, if any. */
static void
ended(BiStep *step, const BiStepExchange *exchange, BiBatchEnd end, const List *faults)
{
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_FETCHING,
										   bi_batch_end_name(end));
	const BiFault *first = faults ? linitial(faults) : NULL;

	save->detail = first ? psprintf("%s: %s", first->code, first->message) : NULL;
	bi_batch_finish(step->chunk->batch, end);
	/* An ambiguous chunk may have come from a fetch without results: that count goes on. */
	if (step->saved_state != BI_CHUNK_AMBIGUOUS)
		step->chunk->failures = 0;
	save->server_works = true;
	save->frees_room = true;
	bi_step_save(step, NULL);
}

/* The provider refused it for quota or load: the same input makes the batch again, later. */
static void
refused_for_now(BiStep *step, const BiStepExchange *exchange, const BiFault *fault)
{
	BiChunk    *chunk = step->chunk;
	int64		poll = bi_react_poll_ms(step);
	BiStepSave *save = bi_react_begin_save(step, exchange, bi_react_before_create(step),
										   "deferred");

	save->detail = psprintf("%s: %s", fault->code, fault->message);
	save->wait = (BiWait) {BI_WAIT_THROTTLED, save->detail};
	/* The others wait a little; running batches are polled again soon, and their end makes room.
	 * This one waits longer each time, unless one of them ends. */
	save->pause_ms = poll;
	save->pause_cause = BI_PAUSE_THROTTLED;
	save->pause_asked = exchange->sent_at;
	save->delay_ms = bi_react_backoff(poll, 2, QUOTA_CAP_MS, Max(chunk->batch->try - 1, 0));
	bi_batch_bury(chunk->batch);
	bi_step_save(step, NULL);
}

static void
failed(BiStep *step, const BiStepExchange *exchange, const BiBatchReport *batch)
{
	List	   *faults = batch->faults;

	if (faults == NIL)
		faults = list_make1(bi_react_fault("batch_failed", "the provider gave no reason"));
	if (batch->deferred && step->chunk->state != BI_CHUNK_CANCELLING)
		refused_for_now(step, exchange, linitial(faults));
	else
		bi_react_fail(step, exchange, faults);
}

bool
bi_poll_is_young(const BiStep *step)
{
	int64		ms = Min(YOUNG_SETTLES * bi_react_settle_ms(step), PG_INT32_MAX);

	return !TimestampDifferenceExceeds(step->chunk->batch->submitted_at, GetCurrentTimestamp(),
									   (int) ms);
}

/* The reply that named the batch may have been wrong: looks for the batch by its intent.  Not for
 * one that is to be cancelled: whatever there is of it ends by itself. */
static void
not_known(BiStep *step, const BiStepExchange *exchange)
{
	if (step->chunk->state == BI_CHUNK_CANCELLING)
		bi_react_ambiguous(step, exchange, BI_REACT_NOT_KNOWN);
	else
		bi_find_start(step);
}

static void
take_state(BiStep *step, const BiStepExchange *exchange, const BiBatchReport *batch)
{
	bool		is_new = bi_react_take_refs(step, batch);

	switch (batch->state)
	{
		case BI_BATCH_WAITING:
		case BI_BATCH_RUNNING:
			still_there(step, exchange, batch->state == BI_BATCH_RUNNING, is_new);
			break;
		case BI_BATCH_COMPLETED:
			ended(step, exchange, BI_BATCH_END_COMPLETED, batch->faults);
			break;
		case BI_BATCH_EXPIRED:
			ended(step, exchange, BI_BATCH_END_EXPIRED, batch->faults);
			break;
		case BI_BATCH_CANCELLED:
			ended(step, exchange, BI_BATCH_END_CANCELLED, batch->faults);
			break;
		case BI_BATCH_FAILED:
			failed(step, exchange, batch);
			break;
	}
}

static void
read_poll(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiBatchReport batch = {0};
	BiVerdict	verdict = step->provider->batch->read_poll(&step->call, exchange->ex, &batch);

	if (verdict.kind == BI_VERDICT_ABSENT && !bi_poll_is_young(step))
		not_known(step, exchange);
	else if (verdict.kind != BI_VERDICT_OK)
		bi_react_defer(step, exchange, &verdict, step->chunk->state);
	else
		take_state(step, exchange, &batch);
}

void
bi_poll_start(BiStep *step)
{
	BiStepExchange *exchange = bi_step_add_exchange(step);

	(void) bi_step_begin_move(step, BI_MOVE_POLL, 0);
	step->provider->batch->poll(&step->call, exchange->ex);
	bi_call_send(exchange, read_poll);
}
