/*
 * engine/batch/cancel.c: asks the provider to stop a batch.
 *
 * Whatever the reply to a cancel says, only a poll tells whether the batch has ended: a cancel may
 * be refused for a moment, be lost, or come too late.  So the call is repeated after some polls,
 * until a poll sees the end.
 */
#include "postgres.h"

#include "engine/batch/cancel.h"
#include "engine/batch/poll.h"
#include "engine/call.h"
#include "engine/react.h"

/* A reference of the chunk: a cancel was sent. */
#define CANCEL_SENT "cancel_sent"

/* After this many polls it is sent again. */
#define CANCEL_AGAIN 5

/* True if the provider has understood a cancel with this verdict. */
static bool
was_understood(const BiStep *step, const BiVerdict *verdict)
{
	if (verdict->kind == BI_VERDICT_ABSENT)
		return !bi_poll_is_young(step);
	return verdict->kind == BI_VERDICT_OK || verdict->kind == BI_VERDICT_REFUSED;
}

static void
read_cancel(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiVerdict	verdict = step->provider->batch->read_cancel(&step->call, exchange->ex);
	bool		again = bi_ref_get(step->chunk->batch->refs, CANCEL_SENT) != NULL;
	bool		understood = was_understood(step, &verdict);
	BiStepSave *save;

	if (!understood && !again)
	{
		bi_react_defer(step, exchange, &verdict, BI_CHUNK_CANCELLING);
		return;
	}
	save = bi_react_begin_save(step, exchange, BI_CHUNK_CANCELLING, again ? NULL : "cancel sent");
	step->chunk->batch->refs = bi_ref_set(step->chunk->batch->refs, CANCEL_SENT, "yes");
	step->chunk->polls = 0;
	save->server_works = understood;
	save->delay_ms = Min(1000, bi_react_poll_ms(step));
	bi_step_save(step, NULL);
}

static void
send_cancel(BiStep *step)
{
	BiStepExchange *exchange = bi_step_add_exchange(step);

	(void) bi_step_begin_move(step, BI_MOVE_CANCEL, 0);
	step->provider->batch->cancel(&step->call, exchange->ex);
	bi_call_send(exchange, read_cancel);
}

/* True if a poll comes next: some after each cancel, and one after each cancel that failed. */
static bool
is_poll_next(const BiChunk *chunk)
{
	if (bi_ref_get(chunk->batch->refs, CANCEL_SENT))
		return chunk->polls < CANCEL_AGAIN;
	return chunk->failures % 2 == 1;
}

void
bi_cancel_start(BiStep *step)
{
	if (is_poll_next(step->chunk))
		bi_poll_start(step);
	else
		send_cancel(step);
}
