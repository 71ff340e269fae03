/*
 * engine/follow.c: the way of a batch: poll, cancel, fetch its results, remove what we
 * left at the provider.
 *
 * Called by step.c.
 */
#include "postgres.h"

#include "base/guc.h"
#include "engine/create.h"
#include "engine/deliver.h"
#include "engine/follow.h"
#include "engine/react.h"
#include "utils/timestamp.h"

#define QUOTA_CAP_MS (60 * 60 * 1000)
#define POLL_CAP_MS (10 * 60 * 1000)

/* A provider may not know for a while what it has just made: so many settle times. */
#define YOUNG_SETTLES 6
#define CLEAN_TRIES 5

/* What results may have where no setting says: so many bytes, and for each record, and for each
 * byte of the requests, which some providers repeat. */
#define RESULT_BASE (64 * 1024 * 1024)
#define RESULT_RECORD (1024 * 1024)
#define RESULT_ECHO 4

/* Whether a cancel was sent, and after how many polls again: it may have been refused for a moment. */
#define CANCEL_SENT "cancel_sent"
#define CANCEL_AGAIN 5

/* Poll */

static void
still_there(BiStep *step, bool running)
{
	BiChunk    *chunk = step->chunk;
	BiState		to = chunk->state == BI_CANCELLING ? BI_CANCELLING : running ? BI_RUNNING : BI_SUBMITTED;
	BiRecordOf *r = bi_react_record(step, to, to == step->record.from ? NULL : running ? "running" : "accepted");

	chunk->failures = 0;
	r->heard = true;
	r->delay_ms = bi_react_backoff(bi_react_poll_ms(step), 1.2, Max(bi_react_poll_ms(step), Min(POLL_CAP_MS, 10 * bi_react_poll_ms(step))), chunk->polls++);
	bi_step_record(step, NULL);
}

/* With the provider's words, where it has some for that end. */
static void
ended(BiStep *step, const char *how, const List *faults)
{
	BiRecordOf *r = bi_react_record(step, BI_FETCHING, how);
	const BiFault *first = faults ? linitial(faults) : NULL;

	r->detail = first ? psprintf("%s: %s", first->code, first->message) : NULL;
	step->chunk->batch_end = unconstify(char *, how);
	/* From there its results may be missing again. */
	if (step->record.from != BI_AMBIGUOUS)
		step->chunk->failures = 0;
	r->heard = true;
	r->room = true;
	bi_step_record(step, NULL);
}

/* Refused for quota or load: the same input makes the batch again, later. */
static void
refused_for_now(BiStep *step, const BiFault *fault)
{
	BiChunk    *chunk = step->chunk;
	BiRecordOf *r = bi_react_record(step, bi_react_before_create(step), "deferred");

	bi_react_bury(chunk, chunk->batch_id);
	chunk->batch_id = NULL;
	r->detail = psprintf("%s: %s", fault->code, fault->message);
	r->waiting_for = r->detail;
	/* The others wait a little, and running batches are soon followed again: their end makes
	 * the room.  This one waits longer each time, unless one of them ends. */
	r->pause_ms = bi_react_poll_ms(step);
	r->delay_ms = bi_react_backoff(bi_react_poll_ms(step), 2, QUOTA_CAP_MS, Max(chunk->tries - 1, 0));
	bi_step_record(step, NULL);
}

static void
failed(BiStep *step, const BiBatch *batch)
{
	List	   *faults = batch->faults ? batch->faults
		: list_make1(bi_react_fault("batch_failed", "the provider gave no reason"));

	if (batch->deferred && step->chunk->state != BI_CANCELLING)
		refused_for_now(step, linitial(faults));
	else
		bi_react_fail(step, faults);
}

static bool
is_young(const BiStep *step)
{
	int64		ms = Min(YOUNG_SETTLES * bi_react_settle_ms(step), PG_INT32_MAX);

	return !TimestampDifferenceExceeds(step->chunk->submitted_at, GetCurrentTimestamp(), (int) ms);
}

/* The answer that named the batch may have been wrong: it is looked for by what we marked it
 * with.  One that we are to cancel is not: what there is of it ends by itself. */
static void
not_known(BiStep *step)
{
	if (step->chunk->state == BI_CANCELLING)
		bi_react_ambiguous(step, BI_REACT_NOT_KNOWN);
	else
		step->work = bi_create_find;
}

static void
read_poll(BiStep *step)
{
	BiBatch		batch = {0};
	BiVerdict	verdict = step->provider->read_poll(&step->call, step->ex, &batch);

	if (verdict.kind == BI_ABSENT && !is_young(step))
	{
		not_known(step);
		return;
	}
	if (verdict.kind != BI_OK)
	{
		bi_react_defer(step, &verdict, step->chunk->state);
		return;
	}
	bi_react_take_refs(step, &batch);
	switch (batch.state)
	{
		case BI_BATCH_WAITING:
		case BI_BATCH_RUNNING:
			still_there(step, batch.state == BI_BATCH_RUNNING);
			break;
		case BI_BATCH_COMPLETED:
			ended(step, "completed", batch.faults);
			break;
		case BI_BATCH_EXPIRED:
			ended(step, "expired", batch.faults);
			break;
		case BI_BATCH_CANCELLED:
			ended(step, "cancelled", batch.faults);
			break;
		case BI_BATCH_FAILED:
			failed(step, &batch);
			break;
	}
}

void
bi_follow_poll(BiStep *step)
{
	step->provider->poll(&step->call, bi_step_exchange(step));
	bi_step_send(step, read_poll);
}

/* Cancel */

static void
read_cancel(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_cancel(&step->call, step->ex);
	bool		again = bi_ref_get(step->chunk->refs, CANCEL_SENT) != NULL;
	bool		heard = verdict.kind == BI_OK || verdict.kind == BI_REFUSED || (verdict.kind == BI_ABSENT && !is_young(step));
	BiRecordOf *r;

	if (!heard && !again)
	{
		bi_react_defer(step, &verdict, BI_CANCELLING);
		return;
	}
	/* Whatever it said, the batch itself tells. */
	r = bi_react_record(step, BI_CANCELLING, again ? NULL : "cancel sent");
	step->chunk->refs = bi_ref_set(step->chunk->refs, CANCEL_SENT, "yes");
	step->chunk->polls = 0;
	r->heard = heard;
	r->delay_ms = Min(1000, bi_react_poll_ms(step));
	bi_step_record(step, NULL);
}

void
bi_follow_cancel(BiStep *step)
{
	bool		sent = bi_ref_get(step->chunk->refs, CANCEL_SENT) != NULL;

	/* Between two calls that came to nothing the batch is looked at: it may end by itself. */
	if (sent ? step->chunk->polls < CANCEL_AGAIN : step->chunk->failures % 2 == 1)
	{
		bi_follow_poll(step);
		return;
	}
	step->provider->cancel(&step->call, bi_step_exchange(step));
	bi_step_send(step, read_cancel);
}

/* Fetch */

static void send_fetch(BiStep *step);

/* A results file ends with a whole line. */
static bool
ends_whole(BiSpool *spool)
{
	char		last;

	return bi_spool_size(spool) == 0 ||
		(bi_spool_get(spool, bi_spool_size(spool) - 1, &last, 1) == 1 && (last == '\n' || last == '}'));
}

/* What the results may have: what the requests can bring is not known, so that bound is generous. */
static int64
results_max(const BiChunk *chunk)
{
	if (bi_guc_max_result_size > 0)
		return bi_guc_max_result_size * INT64CONST(1024);
	return RESULT_BASE + chunk->records * RESULT_RECORD + chunk->bytes * RESULT_ECHO;
}

static int64
spooled_size(const BiStep *step)
{
	int64		size = 0;
	ListCell   *cell;

	foreach(cell, step->spools)
		size += bi_spool_size(lfirst(cell));
	return size;
}

/* The job was cancelled, or is late, and its results do not come to an end: lines that have
 * come are delivered, the other records end as the owner wished. */
static void
deliver_partial(BiStep *step, const BiVerdict *verdict)
{
	BiRecordOf *r = bi_react_record(step, BI_DELIVERING, "download ended");

	step->partial = true;
	r->detail = psprintf("%s; " INT64_FORMAT " bytes had come", bi_react_text(verdict), spooled_size(step));
	r->hold = true;
	bi_step_record(step, bi_deliver_start);
}

static bool
is_partial_wanted(const BiStep *step)
{
	const BiExchange *ex = step->ex;

	return step->wish != BI_WISH_NONE && ex->download &&
		(ex->cause == BI_CAUSE_LIMIT || (ex->cause == BI_CAUSE_STOPPED && spooled_size(step) > 0));
}

static void
cannot_fetch(BiStep *step, const BiVerdict *verdict)
{
	if (verdict->kind == BI_ABSENT && step->chunk->failures >= BI_REACT_ABSENT_TRIES)
		bi_react_ambiguous(step, "the provider does not have the results file");
	else if (is_partial_wanted(step))
		deliver_partial(step, verdict);
	else
		bi_react_defer(step, verdict, BI_FETCHING);
	/* Each try may download as much as the limit: a person must raise it first. */
	if (step->ex->cause == BI_CAUSE_LIMIT && !step->partial)
		step->record.delay_ms = Max(step->record.delay_ms, bi_react_backoff(BI_STEP_AGAIN_MS, 2, QUOTA_CAP_MS, step->chunk->failures - 1));
}

static void
read_fetch(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_fetch(&step->call, step->ex);

	if (verdict.kind == BI_OK && !ends_whole(llast(step->spools)))
	{
		verdict.kind = BI_UNCLEAR;
		verdict.code = "truncated";
		verdict.message = "the results file ends within a line";
	}
	if (verdict.kind == BI_OK)
	{
		step->part++;
		step->work = send_fetch;
	}
	else
		cannot_fetch(step, &verdict);
}

static void
send_fetch(BiStep *step)
{
	BiExchange *ex = bi_step_exchange(step);
	BiSpool    *spool = bi_spool_new(step->cxt);
	BiRecordOf *r;

	if (step->provider->fetch(&step->call, step->part, ex))
	{
		ex->download = spool;
		ex->download_max = results_max(step->chunk);
		ex->download_before = spooled_size(step);
		step->spools = lappend(step->spools, spool);
		bi_step_send(step, read_fetch);
		return;
	}
	bi_spool_close(spool);
	r = bi_step_begin_record(step);
	step->chunk->state = BI_DELIVERING;
	r->hold = true;
	r->heard = true;
	bi_step_record(step, bi_deliver_start);
}


/* Clean */

static void send_discard(BiStep *step);

static void
cleaned(BiStep *step, const char *left)
{
	BiRecordOf *r = bi_step_begin_record(step);

	step->chunk->state = bi_react_final(step->chunk);
	step->chunk->failures = 0;
	r->heard = left == NULL;
	r->room = step->limits.max_files > 0;
	r->event = left ? "left behind" : bi_ref_get(step->chunk->refs, "input") ? "cleaned" : NULL;
	r->detail = left ? pstrdup(left) : NULL;
	r->also = NULL;
	bi_step_record(step, NULL);
}

static void
cannot_clean(BiStep *step, const BiVerdict *verdict)
{
	if (verdict->kind == BI_REFUSED || step->chunk->failures >= CLEAN_TRIES)
		cleaned(step, bi_react_text(verdict));
	else
		bi_react_defer(step, verdict, BI_CLEANING);
}

static void
read_discard(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_discard(&step->call, step->ex);

	if (verdict.kind == BI_OK && bi_exchange_reply_is_page(step->ex))
		verdict = (BiVerdict) {BI_UNCLEAR, "unexpected_reply", "an HTML page in place of a deletion"};
	if (verdict.kind == BI_OK || verdict.kind == BI_ABSENT)
	{
		step->part++;
		step->work = send_discard;
	}
	else
		cannot_clean(step, &verdict);
}

static void
send_discard(BiStep *step)
{
	if (step->provider->discard(&step->call, step->part, bi_step_exchange(step)))
		bi_step_send(step, read_discard);
	else
		cleaned(step, NULL);
}

/* What an ended batch left there: listed anew each time, for fetch and for clean */

static void outputs_turn(BiStep *step);

/* Of each page only what it told is kept beyond its exchange. */
static void
read_outputs(BiStep *step)
{
	bool		cleaning = step->chunk->state == BI_CLEANING;
	MemoryContext old = MemoryContextSwitchTo(step->ex->cxt);
	List	   *refs = bi_ref_copy(step->chunk->refs);
	BiVerdict	verdict = step->provider->read_outputs(&step->call, step->ex, &refs);

	MemoryContextSwitchTo(old);
	step->chunk->refs = bi_ref_copy(refs);
	if (bi_step_next_turn(step, &verdict))
		step->work = outputs_turn;
	else if (verdict.kind == BI_OK || (verdict.kind == BI_ABSENT && cleaning))
		step->work = cleaning ? send_discard : send_fetch;
	else if (cleaning)
		cannot_clean(step, &verdict);
	else
		cannot_fetch(step, &verdict);
}

static void
outputs_turn(BiStep *step)
{
	step->provider->outputs(&step->call, bi_step_exchange(step));
	bi_step_send(step, read_outputs);
}

void
bi_follow_fetch(BiStep *step)
{
	step->part = 0;
	step->spools = NIL;
	bi_step_begin_turns(step);
	if (step->provider->outputs)
		outputs_turn(step);
	else
		send_fetch(step);
}

void
bi_follow_clean(BiStep *step)
{
	step->part = 0;
	bi_step_begin_turns(step);
	if (step->provider->outputs)
		outputs_turn(step);
	else
		send_discard(step);
}
