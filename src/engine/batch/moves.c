/*
 * engine/batch/moves.c: which state of a chunk calls which move of a batch.
 *
 * A chunk is one batch at the provider.  Its state in the table says what may be under way there,
 * and is written before it is begun, so that a crash leaves the truth behind.  The way of a batch:
 *
 *   planned --> uploading --> uploaded --> creating --> submitted --> running
 *                                             |             |            |
 *                                             |             +-----+------+
 *                                             | lost              | a poll sees the end
 *                                             v                   v
 *                                         ambiguous    fetching --> delivering --> cleaning
 *                                                                                     |
 *                                                               done, failed, cancelled
 *
 * - planned: gate.c decides whether a batch may be sent now.  Then the input is uploaded, or, where
 *   it travels with the create call, that call is made.
 * - uploading: the process of the last upload ended within it.  Again, from the records.
 * - uploaded: the gates once more, then the create call.
 * - creating: a chunk is claimed in this state only if the fate of its call is unknown.  Promise 1:
 *   the batch is looked for, and nothing is sent before it is certain that there is none.
 * - submitted, running: a poll.
 * - cancelling: a cancel call or a poll.  claim.c puts a chunk into this state.
 * - fetching, delivering: the results, all of them, again after a crash.  What is in the tables
 *   already is skipped.
 * - ambiguous: no certain answer came.  With a batch id: a poll.  Without: the search again.
 * - cleaning: our files there are removed.  Then the chunk has ended.
 *
 * Every wait, deferral and refusal goes back to one of these states (react.c), so that one chunk
 * passes some of them more than once.  store/state.c has the list of legal ways.
 */
#include "postgres.h"

#include "engine/batch/cancel.h"
#include "engine/batch/clean.h"
#include "engine/batch/create.h"
#include "engine/batch/fetch.h"
#include "engine/batch/find.h"
#include "engine/batch/gate.h"
#include "engine/batch/moves.h"
#include "engine/batch/poll.h"
#include "engine/batch/upload.h"
#include "engine/react.h"

/*
 * By the state that a chunk is claimed in: the state that the claim writes, and the move's first
 * work.  States without work pass the gates first, or have ended.
 */
static const struct
{
	BiChunkState saved;
	BiStepWork	work;
}			moves[BI_NCHUNK_STATES] = {
	[BI_CHUNK_UPLOADING] = {BI_CHUNK_UPLOADING, bi_upload_start},
	[BI_CHUNK_CREATING] = {BI_CHUNK_CREATING, bi_find_start},
	[BI_CHUNK_SUBMITTED] = {BI_CHUNK_SUBMITTED, bi_poll_start},
	[BI_CHUNK_RUNNING] = {BI_CHUNK_RUNNING, bi_poll_start},
	[BI_CHUNK_CANCELLING] = {BI_CHUNK_CANCELLING, bi_cancel_start},
	[BI_CHUNK_FETCHING] = {BI_CHUNK_FETCHING, bi_fetch_start},
	[BI_CHUNK_DELIVERING] = {BI_CHUNK_FETCHING, bi_fetch_start},
	[BI_CHUNK_CLEANING] = {BI_CHUNK_CLEANING, bi_clean_start},
	[BI_CHUNK_AMBIGUOUS] = {BI_CHUNK_AMBIGUOUS, bi_find_start},
};

/* Returns the state that a chunk goes back to if a request of this move could not even be made. */
static BiChunkState
state_without_effect(const BiStep *step)
{
	if (step->move == BI_MOVE_UPLOAD)
		return BI_CHUNK_PLANNED;
	if (step->move == BI_MOVE_CREATE)
		return bi_react_before_create(step);
	return step->saved_state;
}

/* The login before a request failed: the request had no effect, whichever it was. */
static void
unsent(BiStepExchange *exchange, const BiVerdict *verdict)
{
	bi_react_defer(exchange->step, exchange, verdict, state_without_effect(exchange->step));
}

/* The chunk is planned, and may be sent. */
static void
begin(BiStep *step)
{
	if (step->provider->batch->upload == NULL)
	{
		bi_create_claim(step);
		return;
	}
	bi_batch_begin(step->chunk->batch);
	bi_step_claim(step, BI_CHUNK_UPLOADING, bi_upload_start);
}

void
bi_moves_start(BiStep *step)
{
	const BiChunk *chunk = step->chunk;
	BiChunkState state = chunk->state;

	step->on_unsent = unsent;
	if (bi_gate_is_closed(step))
		return;
	if (state == BI_CHUNK_PLANNED)
		begin(step);
	else if (state == BI_CHUNK_UPLOADED)
		bi_create_claim(step);
	else if (state == BI_CHUNK_AMBIGUOUS && chunk->batch->id)
		bi_step_claim(step, state, bi_poll_start);
	else if (moves[state].work)
		bi_step_claim(step, moves[state].saved, moves[state].work);
}
