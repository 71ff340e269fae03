/*
 * engine/drive.c: turns many steps at once: claims what is due, lets each work a
 * piece, moves the bytes of all exchanges, waits when there is nothing to do.
 *
 * The one loop of the house, for a visit and for batch_work alike.  Knows no provider
 * and no table.  While it waits it holds no transaction, lock or snapshot.
 */
#include "postgres.h"

#include "base/crash.h"
#include "base/http.h"
#include "engine/announce.h"
#include "engine/claim.h"
#include "engine/drive.h"
#include "engine/fault.h"
#include "engine/login.h"
#include "engine/step.h"
#include "engine/watch.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/notify.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Chunks worked on at once: each has at most one connection and a few spools. */
#define MAX_STEPS 16

/* So many where each beyond is the only one of its server. */
#define MAX_SERVERS 64

/* Nobody wakes a procedure, or a worker without a launcher: it looks by itself. */
#define LOOK_MS 1000
#define RELEASE_TRIES 3			/* each waits no longer than lock_timeout */

typedef struct Loop
{
	const BiDrive *drive;
	MemoryContext cxt;
	MemoryContext turn_cxt;		/* reset each turn */
	MemoryContext http_cxt;
	BiHttp	   *http;
	List	   *steps;			/* of BiStep */
	BiFaults	faults;
	bool		released;		/* what an earlier drive of this process could not release */
	bool		look;			/* something may be due: claim */
	bool		news;			/* a job has ended and was not announced */
	bool		unfinished;		/* any chunk left, whoever works on it */
	TimestampTz next_due;
	TimestampTz looked_at;
	TimestampTz watched_at;		/* that exchanges under way are still wanted */
	int			wait_ms;
} Loop;

typedef struct Claim
{
	Loop	   *loop;
	const BiDue *due;
	MemoryContext cxt;
	BiStep	   *step;
	const char *reason;
} Claim;

static void
claim_phase(void *arg)
{
	Claim	   *claim = arg;

	claim->step = bi_claim_step(claim->cxt, claim->loop->drive->mode, claim->loop->http, claim->due);
}

static void
refuse_phase(void *arg)
{
	Claim	   *claim = arg;

	bi_claim_refuse(claim->due, claim->reason);
}

/* One server, or one owner's key there, that failed last time gets one probe, not all chunks. */
static bool
is_second_probe(const Loop *loop, const BiDue *due)
{
	ListCell   *cell;

	if (!due->step || due->server_failures == 0 || due->wish != BI_WISH_NONE)
		return false;
	foreach(cell, loop->steps)
	{
		const BiJob *job = ((BiStep *) lfirst(cell))->job;

		if (job->server == due->server && (due->all_failed || job->owner == due->owner))
			return true;
	}
	return false;
}

static void
claim_one(Loop *loop, const BiDue *due)
{
	Claim		claim = {.loop = loop, .due = due};
	ErrorData  *error;
	bool		refused;
	MemoryContext old;

	claim.cxt = AllocSetContextCreate(loop->cxt, "batchinf step", ALLOCSET_DEFAULT_SIZES);
	error = bi_xact_try(claim_phase, &claim);
	if (error)
	{
		/* Promise 4: one bad chunk stops nothing else. */
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not claim chunk " INT64_FORMAT " of batch job " INT64_FORMAT ": %s",
						due->chunk->id, due->chunk->job_id, error->message)));
		MemoryContextDelete(claim.cxt);
		claim.reason = error->message;
		refused = bi_xact_try(refuse_phase, &claim) == NULL;
		if (refused)
			bi_fault_kept(&loop->faults, error);
		else
			(void) bi_fault_add(&loop->faults, error->sqlerrcode, error->message);
		return;
	}
	claim.step->process_faults = &loop->faults;
	BI_CRASH_POINT(bi_state_name(claim.step->chunk->state), "claim");
	if (bi_step_over(claim.step))
	{
		bi_step_free(claim.step);
		loop->look = true;
		return;
	}
	old = MemoryContextSwitchTo(loop->cxt);
	loop->steps = lappend(loop->steps, claim.step);
	MemoryContextSwitchTo(old);
}

static void
look_phase(void *arg)
{
	Loop	   *loop = arg;
	int			n = list_length(loop->steps);
	ListCell   *cell;

	loop->look = false;
	bi_chunk_lock_claims();
	if (!loop->released)
		bi_chunk_release_all();
	bi_job_finish_due();
	foreach(cell, bi_chunk_due(loop->turn_cxt, MAX_STEPS - n, MAX_SERVERS - n))
		if (!is_second_probe(loop, lfirst(cell)))
			claim_one(loop, lfirst(cell));
	loop->next_due = bi_chunk_next_due(&loop->unfinished);
	loop->news = bi_notify_is_due();
}

static void
look(Loop *loop)
{
	ErrorData  *error = bi_xact_run(loop->drive->mode, look_phase, loop);

	loop->looked_at = GetCurrentTimestamp();
	loop->released |= error == NULL;
	if (error)
	{
		/* Others claim at this moment, or change what we look at. */
		if (!bi_xact_is_for_now(error))
			ReThrowError(error);
		loop->look = false;
		loop->next_due = loop->looked_at;
		loop->unfinished = true;
	}
	if (error == NULL && loop->news)
		bi_announce(loop->drive->mode);
	/* What is due and was not taken waits for a step to end, or for somebody else. */
	if (loop->next_due <= loop->looked_at)
		loop->next_due = TimestampTzPlusMilliseconds(loop->looked_at, LOOK_MS);
}

static bool
is_ready(const BiStep *step, TimestampTz now)
{
	return step->work && step->not_before <= now;
}

static void
retire(Loop *loop)
{
	ListCell   *cell;

	foreach(cell, loop->steps)
	{
		BiStep	   *step = lfirst(cell);

		if (!bi_step_over(step))
			continue;
		loop->steps = foreach_delete_current(loop->steps, cell);
		bi_step_free(step);
		loop->look = true;
	}
}

/* A piece of work for each step that has some: true if there is more of it. */
static bool
work(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		more = false;
	ListCell   *cell;

	foreach(cell, loop->steps)
	{
		BiStep	   *step = lfirst(cell);

		if (is_ready(step, now))
			bi_step_work(step);
		more = more || is_ready(step, now);
	}
	return more;
}

static void
take_replies(Loop *loop)
{
	BiExchange *ex;

	while ((ex = bi_http_next(loop->http)) != NULL)
	{
		ListCell   *cell;

		foreach(cell, loop->steps)
		{
			BiStep	   *step = lfirst(cell);

			if (step->ex == ex)
				bi_step_reply(step);
		}
	}
}

static void
wait_phase(void *arg)
{
	Loop	   *loop = arg;

	if (bi_http_running(loop->http) > 0)
		bi_http_turn(loop->http, loop->wait_ms);
	else if (loop->wait_ms > 0)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, loop->wait_ms, PG_WAIT_EXTENSION);
	CHECK_FOR_INTERRUPTS();
}

/* When to look for due chunks again without a wake-up. */
static TimestampTz
next_look(const Loop *loop)
{
	if (loop->drive->mode == BI_XACT_PROCEDURE || loop->drive->linger_ms < 0)
		return Min(loop->next_due, TimestampTzPlusMilliseconds(loop->looked_at, LOOK_MS));
	return loop->next_due;
}

/* When there is something to do at all. */
static TimestampTz
next_event(const Loop *loop)
{
	TimestampTz when = Min(next_look(loop), loop->drive->until);
	ListCell   *cell;

	foreach(cell, loop->steps)
	{
		BiStep	   *step = lfirst(cell);

		if (step->work)
			when = Min(when, step->not_before);
	}
	return when;
}

static int
until_then(TimestampTz when)
{
	return TIMESTAMP_IS_NOEND(when) ? 60000
		: (int) Max(1, Min(60000, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when)));
}

static void
report(const Loop *loop)
{
	if (loop->drive->mode == BI_XACT_PROCEDURE)
		return;
	if (loop->steps == NIL)
		pgstat_report_activity(STATE_IDLE, "waiting for the next batch step");
	else
		pgstat_report_activity(STATE_RUNNING, bi_step_describe(linitial(loop->steps)));
	pgstat_report_stat(false);
}

static void
rest(Loop *loop, bool busy)
{
	loop->wait_ms = busy ? 0 : until_then(next_event(loop));
	report(loop);
	bi_xact_wait(loop->drive->mode, wait_phase, loop);
	if (loop->drive->mode == BI_XACT_WORKER && MyLatch->is_set)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		loop->look = true;
	}
	else if (loop->drive->mode == BI_XACT_PROCEDURE)
		ResetLatch(MyLatch);
	if (GetCurrentTimestamp() >= next_look(loop))
		loop->look = true;
}

static bool
is_over(const Loop *loop)
{
	const BiDrive *drive = loop->drive;

	if ((drive->leave && drive->leave()) || GetCurrentTimestamp() >= drive->until)
		return true;
	if (loop->steps != NIL || loop->look)
		return false;
	if (drive->linger_ms < 0)
		return !loop->unfinished;
	return loop->next_due > TimestampTzPlusMilliseconds(GetCurrentTimestamp(), drive->linger_ms);
}

static void
run_loop(Loop *loop)
{
	do
	{
		bool		busy;

		if (loop->look)
			look(loop);
		busy = work(loop);
		retire(loop);
		if (!is_over(loop))
			rest(loop, busy || (loop->look && list_length(loop->steps) < MAX_STEPS));
		bi_watch(loop->drive->mode, loop->http, loop->steps, &loop->watched_at);
		take_replies(loop);
		bi_fault_check(&loop->faults);
		MemoryContextReset(loop->turn_cxt);
	} while (!is_over(loop));
}

static void
release_phase(void *arg)
{
	bi_chunk_release_all();
}

static void
release(BiXactMode mode)
{
	ErrorData  *error;
	int			tries = 0;

	while ((error = bi_xact_finish(mode, release_phase, NULL)) != NULL && ++tries < RELEASE_TRIES)
		continue;
	if (error)
		ereport(LOG,
				(errmsg("could not release claims: %s", error->message),
				 errdetail("They end with this process, or when it works on batch jobs again.")));
}

/* What is under way here is left as a crash would leave it, but for hold and secrets. */
static void
leave(Loop *loop)
{
	ListCell   *cell;

	if (loop->steps != NIL)
		release(loop->drive->mode);
	/* Transfers end before the exchanges that they fill. */
	MemoryContextDelete(loop->http_cxt);
	foreach(cell, loop->steps)
		bi_step_free(lfirst(cell));
	MemoryContextDelete(loop->cxt);
}

TimestampTz
bi_drive(const BiDrive *drive)
{
	Loop		loop = {.drive = drive, .look = true};
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	loop.cxt = AllocSetContextCreate(TopMemoryContext, "batchinf drive", ALLOCSET_DEFAULT_SIZES);
	loop.turn_cxt = AllocSetContextCreate(loop.cxt, "batchinf turn", ALLOCSET_DEFAULT_SIZES);
	loop.http_cxt = AllocSetContextCreate(loop.cxt, "batchinf transfers", ALLOCSET_SMALL_SIZES);
	loop.http = bi_http_new(loop.http_cxt);
	loop.faults.cxt = loop.cxt;
	MemoryContextSwitchTo(loop.turn_cxt);
	PG_TRY();
	{
		run_loop(&loop);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	leave(&loop);
	bi_login_forget();
	if (error)
		ReThrowError(error);
	return loop.next_due;
}
