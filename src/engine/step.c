/*
 * engine/step.c: the frame of a step: work, save, and the end.
 *
 * A step is one chunk in the hands of this process.  Its life:
 *
 *   claim     (claim.c, in a transaction) takes the chunk and writes the state that says what may
 *             be under way from now on: "creating" is durable before the paid call is sent.
 *   work      a piece of local work, such as rendering some records.  It names the next piece in
 *             step->work, or sends exchanges (call.c), or saves.  It never waits.
 *   exchange  while bytes travel no transaction is open.  A step has a set of exchanges; each one
 *             knows its step and the routine that reads its reply.
 *   save      (here, in a transaction) writes the chunk, an event, the server's pause, and whatever
 *             else must happen together with them.  It ends the claim, unless more is to come.
 *
 * A quiet poll (quiet.c) is a step without a claim.  Its first save claims the chunk in the same
 * transaction, and finds out there whether anybody has written it meanwhile.  If there is nothing
 * to save, nothing is ever written.
 *
 * A step is over when it has no work and no exchange.  drive.c turns many of them at once.
 *
 * What can go wrong:
 *
 * - An error in a piece of work or in the reading of a reply (bi_step_guard): the step ends.  Its
 *   chunk stays in the state that was saved last, says why, and is due again 30 seconds later.
 *   What it does then is what it would do after a crash.
 * - A save that fails is tried again after a second, because it may be the only place that knows
 *   the id of a batch which costs money.  After five failures the claim alone is ended, in a
 *   smaller transaction: the chunk stays as the claim left it, and a lost batch is looked for.
 *   If not even that works, fault.c ends the process: the next one finds the claim abandoned.
 * - Another process has changed the chunk meanwhile (class 40): what this step knows is old.  It
 *   ends without a word.
 *
 * Exchanges that are under way when a step ends are stopped, and their replies dropped.
 *
 * Why not one transaction a step?  It would be open while bytes travel: it would hold back VACUUM,
 * block DROP EXTENSION, and lose the intent in a crash, which promise 1 is built on.
 */
#include "postgres.h"

#include "base/crash.h"
#include "base/foreign.h"
#include "base/secret.h"
#include "engine/settle.h"
#include "engine/step.h"
#include "store/event.h"
#include "store/flight.h"
#include "store/open.h"
#include "store/pause.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* When a batch ends, wake at most this many chunks that wait for room: it may have been a large
 * one. */
#define WAKE_FOR_ROOM 8

/* How often a save is tried before the chunk is let go, and the time between two tries. */
#define SAVE_TRIES 5
#define SAVE_AGAIN_MS 1000

/* Moves */

void *
bi_step_begin_move(BiStep *step, BiMove move, Size size)
{
	step->move = move;
	step->move_data = size > 0 ? MemoryContextAllocZero(step->cxt, size) : NULL;
	return step->move_data;
}

/* A quiet poll has something to write: claims its chunk.  Raises an error of class 40 if anybody
 * has written it since it was read. */
static void
take_chunk(const BiStep *step)
{
	if (step->is_unclaimed)
		bi_open_claim(step->chunk, step->saved_state, step->base);
}

void
bi_step_wait(BiStep *step, BiWaitKind kind, const char *words, int64 delay_ms)
{
	BiWait		wait = {kind, words};

	take_chunk(step);
	step->is_unclaimed = false;
	bi_chunk_save(step->chunk, step->saved_state, true, delay_ms, &wait, NULL);
}

void
bi_step_claim(BiStep *step, BiChunkState state, BiStepWork work)
{
	step->chunk->state = state;
	if (!step->is_unclaimed)
		bi_chunk_save(step->chunk, step->saved_state, false, 0, NULL, NULL);
	step->saved_state = state;
	step->work = work;
}

/* Exchanges */

/* Called when the exchange's context is reset. */
static void
wipe_exchange(void *thing)
{
	BiStepExchange *exchange = thing;

	bi_secret_wipe(exchange->proof);
	bi_secret_wipe(exchange->login_cursor);
}

BiStepExchange *
bi_step_add_exchange(BiStep *step)
{
	MemoryContext cxt = AllocSetContextCreate(step->cxt, "batchinf exchange",
											  ALLOCSET_DEFAULT_SIZES);
	BiStepExchange *exchange = MemoryContextAllocZero(cxt, sizeof(BiStepExchange));

	bi_foreign_own(cxt, exchange, wipe_exchange);
	exchange->cxt = cxt;
	exchange->step = step;
	exchange->ex = bi_exchange_new(AllocSetContextCreate(cxt, "batchinf request",
														 ALLOCSET_DEFAULT_SIZES));
	exchange->ex->allow_http = step->server->owner_is_superuser;
	exchange->ex->owner = exchange;
	return exchange;
}

BiExchange *
bi_step_current(const BiStepExchange *exchange)
{
	return exchange->login ? exchange->login : exchange->ex;
}

/* Stops what is under way.  The step is not over before http.c has handed each one back. */
static void
drop_exchanges(BiStep *step)
{
	dlist_iter	iter;

	dlist_foreach(iter, &step->exchanges)
	{
		BiStepExchange *exchange = dlist_container(BiStepExchange, node, iter.cur);

		exchange->is_dropped = true;
		bi_http_stop(step->http, bi_step_current(exchange), "the step has ended");
	}
}

/* Saves */

BiStepSave *
bi_step_begin_save(BiStep *step)
{
	memset(&step->save, 0, sizeof(step->save));
	return &step->save;
}

/* Ends the claim, in a transaction.  The chunk stays as the claim left it: what was to be saved is
 * given up.  A reason that the chunk gives already is not reported again. */
static void
write_let_go(const BiStep *step)
{
	const BiChunk *chunk = step->chunk;
	bool		writes = step->move == BI_MOVE_REWRITE;
	BiWait		wait = {BI_WAIT_ERROR, step->let_go_reason};

	if (step->is_unclaimed)
		return;
	if (!bi_chunk_let_go(chunk->id, writes, step->let_go_ms, &wait))
		return;
	bi_event_add(chunk, "error", step->let_go_reason, 0, NULL);
	ereport(LOG,
			(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " was let go: %s",
					chunk->id, chunk->job_id, step->let_go_reason)));
}

/* Returns why the server is throttled in our own words, without the provider's. */
static const char *
pause_kind(const BiStepSave *save)
{
	if (save->status == 0)
		return "no answer";
	return save->status >= 300 ? psprintf("HTTP status %d", save->status) : "refused for now";
}

static void
write_pause(const BiStep *step)
{
	const BiStepSave *save = &step->save;
	BiPause		pause = {
		.server = step->job->server, .server_name = step->server->name,
		.owner = step->job->owner, .delay_ms = save->pause_ms, .cause = save->pause_cause,
		.kind = pause_kind(save), .reason = save->wait.words, .asked_at = save->pause_asked,
	};

	bi_pause_set(&pause);
}

static void
write_save(BiStep *step)
{
	const BiStepSave *save = &step->save;
	const BiJob *job = step->job;

	take_chunk(step);
	bi_chunk_save(step->chunk, step->saved_state, !save->keep_claim, save->delay_ms,
				  &save->wait, save->error);
	if (save->event)
		bi_event_add(step->chunk, save->event, save->detail, save->status, save->request_id);
	if (save->pause_ms > 0)
		write_pause(step);
	else if (save->server_works && step->server_failures > 0)
		bi_pause_clear(job->server, step->server->name, job->owner);
	if (save->on_save)
		save->on_save(step, save->on_save_arg);
	bi_settle(job, step->chunk, step->saved_state);
	if (save->frees_room)
		bi_flight_wake(job->server, WAKE_FOR_ROOM);
	BI_CRASH_POINT(bi_state_name(step->saved_state), "record");
}

static void
save_phase(void *arg)
{
	BiStep	   *step = arg;

	if (step->let_go_reason)
		write_let_go(step);
	else
		write_save(step);
}

static void try_save(BiStep *step);

/* The save has committed, or is given up.  A step that does not keep its claim is over. */
static void
end_save(BiStep *step)
{
	step->saved_state = step->chunk->state;
	step->chunk->traffic = (BiTraffic) {0};
	step->not_before = 0;
	step->save_failures = 0;
	step->work = step->save.keep_claim ? step->after_save : NULL;
}

/*
 * Tries again a second later: what was paid for must not be forgotten.  Where only this chunk
 * fails, it is let go in the state that its claim saved, as a crash would leave it.  Where nothing
 * can be saved, drive.c ends the process.
 */
static void
retry_save(BiStep *step, const ErrorData *error)
{
	char	   *text = psprintf("could not record a step of chunk " INT64_FORMAT " of batch job "
								INT64_FORMAT ": %s",
								step->chunk->id, step->chunk->job_id, error->message);

	if (bi_fault_add(step->process_faults, error->sqlerrcode, text) && step->save_failures == 0)
		ereport(LOG, (errcode(error->sqlerrcode), errmsg_internal("%s", text)));
	if (++step->save_failures == SAVE_TRIES)
		bi_step_let_go(step, error->message, BI_STEP_AGAIN_MS);
	step->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SAVE_AGAIN_MS);
	step->work = try_save;
}

static void
try_save(BiStep *step)
{
	ErrorData  *error = bi_xact_run(step->mode, save_phase, step);

	if (error == NULL)
	{
		BI_CRASH_POINT(bi_state_name(step->saved_state), "recorded");
		/* That a claim could be ended proves little: it is the smallest of our transactions. */
		if (!step->saves_failure && step->let_go_reason == NULL)
			bi_fault_none(step->process_faults);
		if (step->let_go_reason == NULL)
			step->is_unclaimed = false;
		end_save(step);
	}
	else if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
	{
		/* Another process has changed the chunk: what we know is old. */
		step->save.keep_claim = false;
		drop_exchanges(step);
		end_save(step);
	}
	else
		retry_save(step, error);
}

void
bi_step_let_go(BiStep *step, const char *reason, int64 delay_ms)
{
	if (step->let_go_reason)
		return;
	drop_exchanges(step);
	step->let_go_reason = MemoryContextStrdup(step->cxt, reason);
	step->let_go_ms = delay_ms;
	step->chunk->state = step->saved_state;
	step->save.keep_claim = false;
	step->work = try_save;
}

void
bi_step_save(BiStep *step, BiStepWork then)
{
	if (!step->save.keep_claim)
		drop_exchanges(step);
	step->after_save = then;
	step->work = try_save;
}

/* Errors */

/* Ends the step after an error outside of a transaction.  The chunk stays in the state that is
 * saved and says why; what it does next is what it would do after a crash. */
static void
give_up(BiStep *step, const ErrorData *error)
{
	BiStepSave *save = bi_step_begin_save(step);

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " cannot go on now: %s",
					step->chunk->id, step->chunk->job_id, error->message)));
	step->saves_failure = true;
	bi_fault_kept(step->process_faults, error);
	step->chunk->state = step->saved_state;
	save->event = "error";
	save->detail = error->message;
	save->wait = (BiWait) {BI_WAIT_ERROR, error->message};
	save->delay_ms = BI_STEP_AGAIN_MS;
	bi_step_save(step, NULL);
}

/* Promise 4: one bad chunk stops nothing else. */
void
bi_step_guard(BiStep *step, void (*code) (void *arg), void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(step->cxt);

	PG_TRY();
	{
		code(arg);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(step->cxt);
		error = CopyErrorData();
		if (bi_xact_is_cancel(error))
			PG_RE_THROW();
		FlushErrorState();
		give_up(step, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

static void
run_work(void *arg)
{
	BiStep	   *step = arg;
	BiStepWork	work = step->work;

	step->work = NULL;
	work(step);
}

void
bi_step_work(BiStep *step)
{
	BI_CRASH_POINT(bi_state_name(step->saved_state), "work");
	bi_step_guard(step, run_work, step);
}

/* The end */

bool
bi_step_is_over(const BiStep *step)
{
	return step->work == NULL && dlist_is_empty(unconstify(dlist_head *, &step->exchanges));
}

void
bi_step_drop(BiStep *step)
{
	drop_exchanges(step);
	step->work = NULL;
}

void
bi_step_free(BiStep *step)
{
	bi_secret_wipe(step->secret);
	MemoryContextDelete(step->cxt);
}

const char *
bi_step_describe(const BiStep *step)
{
	return psprintf("%s chunk " INT64_FORMAT " of batch job " INT64_FORMAT,
					bi_state_name(step->chunk->state), step->chunk->id, step->chunk->job_id);
}
