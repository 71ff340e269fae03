/*
 * engine/drive.c: works on all chunks that are due, many at once.
 *
 * The one loop of the extension: a worker's visit and batch_work both run it.  Each turn of it:
 *
 *   look     in a transaction, if something may be due: ends jobs that have come to their end,
 *            reads the due chunks in the order of the schedule (the view batchinf.due), and claims
 *            each one in a subtransaction (claim.c).  A claim becomes a step.  Then reads when the
 *            next chunk will be due.
 *   poll     begins the polls of open chunks that are due (quiet.c).  These steps are not claimed,
 *            and nearly all of them write nothing: no look follows them.
 *   work     each step that has a piece of work does one.  Pieces are bounded, so that no step
 *            holds up the others for long; those that run code of a job's owner wait for the
 *            owner's turn (share.c).
 *   remove   removes a piece of the texts that are kept no longer, if there was no work
 *            (removal.c).
 *   retire   frees steps that are over, which makes room to look for more.
 *   rest     moves the bytes of all exchanges and waits: for bytes, for the latch, for the time
 *            when work or a look is due.  No transaction, lock or snapshot is held.  If a step has
 *            work at once, rest only moves bytes.
 *   watch    stops exchanges that nobody wants any more (watch.c).
 *   replies  each exchange that is over knows its step: call.c has its reply read there.
 *
 * The loop ends when its caller says so, when its time has passed, or when there is neither a step
 * nor anything due within linger_ms.
 *
 * When something fails:
 *
 * - in one chunk: its claim is refused, or its step gives up.  The chunk keeps the reason and
 *   waits; all others go on (promise 4).
 * - in a look, because of another session's lock: the same again at the next turn.
 * - in this process, such as memory that is used up: fault.c counts, and ends the loop.
 * - a cancel, or whatever nobody foresaw: the claims are released, then the error is raised again.
 *
 * Chunks that are under way when the loop ends are left as after a crash, except that their claims
 * and secrets are gone: the next claim of one finds out what has happened.
 *
 * Why one loop and not a process a batch: hundreds of batches may run for a day, and nearly all
 * they do is wait.  Knows no provider and no table.
 */
#include "postgres.h"

#include "base/http.h"
#include "engine/announce.h"
#include "engine/call.h"
#include "engine/claim.h"
#include "engine/drive.h"
#include "engine/fault.h"
#include "engine/login.h"
#include "engine/quiet.h"
#include "engine/removal.h"
#include "engine/rest.h"
#include "engine/room.h"
#include "engine/share.h"
#include "engine/spread.h"
#include "engine/step.h"
#include "engine/watch.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "store/chunk.h"
#include "store/inflight.h"
#include "store/job.h"
#include "store/notify.h"
#include "store/pipeline.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Nobody wakes a procedure, or a worker without a launcher: it looks by itself. */
#define LOOK_MS 1000

/* A loop that had always something to do for this time is crowded. */
#define CROWDED_MS 1000

/* One call of bi_drive. */
typedef struct Loop
{
	const BiDrive *drive;		/* what the caller wants */
	MemoryContext cxt;			/* of the call */
	MemoryContext turn_cxt;		/* reset each turn */
	MemoryContext http_cxt;		/* of http; deleted before the steps, whose exchanges it fills */
	BiHttp	   *http;			/* all exchanges of all steps */
	List	   *steps;			/* BiStep, in cxt */
	BiFaults	faults;			/* failures of this process in a row */
	BiQuietWish polls;			/* what quiet works with */
	BiQuiet    *quiet;			/* polls that write nothing; in cxt */
	BiShare    *share;			/* whose pieces of work are done; in cxt */
	bool		released;		/* claims that an earlier call in this process left are gone */
	bool		look;			/* something may be due */
	bool		more;			/* more is due than was taken on */
	bool		has_news;		/* a job has ended and was not announced */
	TimestampTz seen_refresh;	/* as the last look has found it */
	TimestampTz refresh_from;	/* not before that for what a look finds */
	bool		unfinished;		/* a chunk is unfinished, held or not; for loops that do not
								 * linger */
	int64		touched[BI_ROOM_STEPS]; /* jobs of steps that are over: they may be over, too */
	int			ntouched;		/* -1: any job may be */
	TimestampTz next_due;		/* when the next chunk that nobody works on is due */
	TimestampTz next_refresh;	/* when drive->refresh is to be called */
	BiRemoval	removal;		/* of texts of ended jobs */
	MemoryContext dues_cxt;		/* of dues; reset by each look */
	List	   *dues;			/* the same for each owner, of what waits for a time: BiOwnerDue */
	TimestampTz looked_at;		/* the last look */
	TimestampTz watched_at;		/* the last look of watch.c */
	TimestampTz busy_from;		/* there was always something to do since then; 0: there is not */
	bool		is_crowded;		/* another process should take on what is due here */
	int			wait_ms;		/* for the rest of this turn */
} Loop;

/* Frees a step that is over.  A quiet poll that found nothing new makes nothing else due. */
static void
end_step(Loop *loop, BiStep *step)
{
	const BiDriveHost *host = loop->drive->host;

	if (!bi_quiet_take_back(loop->quiet, step))
	{
		if (host && (!host->polls() || bi_spread_has_left(step)))
			host->wake_others();
		if (loop->ntouched == BI_ROOM_STEPS)
			loop->ntouched = -1;
		if (loop->ntouched >= 0)
			loop->touched[loop->ntouched++] = step->chunk->job_id;
		loop->look = true;
	}
	bi_step_free(step);
}

static void
add_step(Loop *loop, BiStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(loop->cxt);

	loop->steps = lappend(loop->steps, step);
	MemoryContextSwitchTo(old);
}

static void
claim_one(Loop *loop, const BiDue *due)
{
	BiStep	   *step = bi_claim_step(&loop->polls.claimer, due);

	if (step == NULL)
		return;
	bi_quiet_drop(loop->steps, due->chunk->id);
	if (bi_step_is_over(step))
		end_step(loop, step);
	else
		add_step(loop, step);
}

/* Ends the jobs that are over.  False if one of them is locked. */
static bool
finish_jobs(Loop *loop)
{
	bool		any = loop->ntouched < 0;

	if (loop->ntouched != 0 && !bi_job_finish(any ? NULL : loop->touched, Max(loop->ntouched, 0)))
		return false;
	loop->ntouched = 0;
	return true;
}

/* True if nobody tells this process what to do: it looks by itself, and ends when nothing is left
 * to do. */
static bool
looks_by_itself(const Loop *loop)
{
	return loop->drive->mode == BI_XACT_PROCEDURE || loop->drive->linger_ms < 0;
}

static void
look_phase(void *arg)
{
	Loop	   *loop = arg;
	bool		finished;
	bool		left = false;
	ListCell   *cell;

	loop->look = false;
	bi_chunk_lock_claims();
	if (!loop->released)
		bi_chunk_release_all();
	finished = finish_jobs(loop);
	loop->look = bi_inflight_sweep();
	foreach(cell, bi_chunk_due(loop->turn_cxt, BI_ROOM_STEPS, &loop->more))
	{
		const BiDue *due = lfirst(cell);

		if (loop->is_crowded && bi_spread_leaves(loop->drive->host, loop->steps, due))
			left = true;
		else if (!bi_room_for_chunk(list_length(loop->steps), due))
			loop->more = true;
		else if (!bi_claim_is_second_probe(loop->steps, due))
			claim_one(loop, due);
	}
	loop->more |= left || !finished;
	if (left)
		loop->drive->host->wake_others();
	loop->dues = bi_chunk_next_due(loop->dues_cxt);
	loop->next_due = bi_chunk_first_due(loop->dues);
	loop->unfinished = looks_by_itself(loop) && (!finished || bi_chunk_any_unfinished());
	loop->has_news = bi_notify_is_due();
	loop->seen_refresh = bi_pipeline_next();
	bi_removal_look(&loop->removal, loop->steps == NIL);
	bi_quiet_refresh(loop->quiet);
}

static void
look(Loop *loop)
{
	ErrorData  *error;

	if (loop->drive->host)
		loop->drive->host->go_looking();
	loop->dues = NIL;
	MemoryContextReset(loop->dues_cxt);
	error = bi_xact_run(loop->drive->mode, look_phase, loop);
	loop->looked_at = GetCurrentTimestamp();
	loop->released |= error == NULL;
	if (error)
	{
		/* Another process claims at this moment, or changes what we look at. */
		if (!bi_xact_is_for_now(error))
			ReThrowError(error);
		loop->look = false;
		loop->next_due = loop->looked_at;
		loop->unfinished = true;
		loop->ntouched = -1;
	}
	if (error == NULL && loop->has_news)
		bi_announce(loop->drive->mode);
	/* One that another process has locked looks due. */
	if (error == NULL)
		loop->next_refresh = Min(loop->next_refresh, Max(loop->seen_refresh, loop->refresh_from));
	/* What is due and was not taken waits for a step to end here, or for another process. */
	if (loop->more || loop->next_due <= loop->looked_at)
		loop->next_due = TimestampTzPlusMilliseconds(loop->looked_at, LOOK_MS);
}

/* Makes new work that is due.  It is looked for then. */
static void
refresh(Loop *loop)
{
	loop->next_refresh = loop->drive->refresh(loop->drive->mode);
	loop->refresh_from = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	loop->look = true;
}

/* Begins the quiet polls that are due. */
static void
poll(Loop *loop)
{
	ListCell   *cell;

	foreach(cell, bi_quiet_look(loop->quiet, loop->steps))
		add_step(loop, lfirst(cell));
}

static void
retire(Loop *loop)
{
	ListCell   *cell;

	foreach(cell, loop->steps)
	{
		BiStep	   *step = lfirst(cell);

		if (!bi_step_is_over(step))
			continue;
		loop->steps = foreach_delete_current(loop->steps, cell);
		end_step(loop, step);
	}
}

static void
take_replies(Loop *loop)
{
	BiExchange *ex;

	while ((ex = bi_http_next(loop->http)) != NULL)
		bi_call_reply(ex->owner);
}

static void
wait_phase(void *arg)
{
	Loop	   *loop = arg;

	if (bi_http_running(loop->http) > 0)
		bi_http_turn(loop->http, loop->wait_ms);
	else if (loop->wait_ms > 0)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 loop->wait_ms, PG_WAIT_EXTENSION);
	CHECK_FOR_INTERRUPTS();
}

/* True if the loop takes nothing more on. */
static bool
drains(const Loop *loop)
{
	return loop->drive->host && loop->drive->host->drain();
}

/* Returns when to look for due chunks even if nobody wakes this process. */
static TimestampTz
next_look(const Loop *loop)
{
	if (looks_by_itself(loop))
		return Min(loop->next_due, TimestampTzPlusMilliseconds(loop->looked_at, LOOK_MS));
	return loop->next_due;
}

/* Returns when there is something to do, beside the exchanges: a look, a piece of work, the end. */
static TimestampTz
next_event(const Loop *loop)
{
	TimestampTz when = loop->drive->until;
	ListCell   *cell;

	if (!drains(loop))
		when = Min(Min(Min(when, loop->next_refresh), loop->removal.next),
				   Min(next_look(loop), bi_quiet_next(loop->quiet)));
	foreach(cell, loop->steps)
	{
		BiStep	   *step = lfirst(cell);

		if (step->work)
			when = Min(when, step->not_before);
	}
	return when;
}

/* True if somebody has new work.  Code of owners may have reset the latch that they set. */
static bool
is_wanted(const Loop *loop)
{
	return MyLatch->is_set || (loop->drive->host && loop->drive->host->is_wanted());
}

/* Moves bytes, and waits unless busy. */
static void
rest(Loop *loop, bool busy)
{
	loop->wait_ms = busy || (is_wanted(loop) && !drains(loop)) ? 0 : bi_rest_ms(next_event(loop));
	bi_rest_report(loop->drive->mode, loop->steps);
	if (loop->drive->host && loop->wait_ms > 0)
		loop->drive->host->rests();
	bi_xact_wait(loop->drive->mode, wait_phase, loop);
	if (loop->drive->mode == BI_XACT_WORKER && is_wanted(loop))
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

/* Returns when something is due that nobody works on: a chunk, a refresh, a removal. */
static TimestampTz
next_due(const Loop *loop)
{
	return Min(Min(loop->next_due, loop->next_refresh),
			   Min(loop->removal.next, bi_quiet_due(loop->quiet)));
}

/* True if the loop is to end. */
static bool
is_over(const Loop *loop)
{
	const BiDrive *drive = loop->drive;

	if ((drive->host && drive->host->leave()) || GetCurrentTimestamp() >= drive->until)
		return true;
	if (drains(loop))
		return loop->steps == NIL;
	if (loop->steps != NIL || loop->look || (drive->host && drive->host->helps()))
		return false;
	if (drive->linger_ms < 0)
		return !loop->unfinished &&
			Min(loop->next_refresh, loop->removal.next) > GetCurrentTimestamp();
	return next_due(loop) > TimestampTzPlusMilliseconds(GetCurrentTimestamp(), drive->linger_ms);
}

/* Says how this process is doing: a turn begins. */
static void
tell_host(Loop *loop)
{
	const BiDriveHost *host = loop->drive->host;

	if (host == NULL)
		return;
	loop->is_crowded = loop->busy_from != 0 &&
		TimestampDifferenceExceeds(loop->busy_from, GetCurrentTimestamp(), CROWDED_MS) &&
		(loop->more || bi_spread_can_give(loop->share, loop->steps));
	host->set_load(drains(loop) ? BI_ROOM_STEPS : bi_spread_load(loop->steps), loop->is_crowded);
	host->busy(next_due(loop));
	if (drains(loop) || loop->is_crowded)
		bi_spread_give_back(host, loop->share, loop->steps, drains(loop));
}

/* Takes on what is due, and does a turn of the work.  True if there is more to do at once. */
static bool
work(Loop *loop)
{
	bool		busy;

	if (!drains(loop))
	{
		if (loop->look)
			look(loop);
		if (loop->next_refresh <= GetCurrentTimestamp())
			refresh(loop);
		poll(loop);
	}
	busy = bi_share_work(loop->share, &(BiShareTurn) {
		loop->steps, loop->dues, loop->quiet, loop->is_crowded
	});
	if (!busy || loop->busy_from == 0)
		loop->busy_from = busy ? GetCurrentTimestamp() : 0;
	if (!drains(loop))
		bi_removal_turn(&loop->removal, loop->drive->mode, busy || loop->look);
	return busy;
}

static void
run_loop(Loop *loop)
{
	do
	{
		bool		busy;

		tell_host(loop);
		busy = work(loop);
		retire(loop);
		if (!is_over(loop))
			rest(loop, busy || (loop->look && list_length(loop->steps) < BI_ROOM_STEPS));
		bi_watch(loop->drive->mode, loop->http, loop->steps, &loop->watched_at);
		take_replies(loop);
		bi_fault_check(&loop->faults);
		MemoryContextReset(loop->turn_cxt);
	} while (!is_over(loop));
}

/* Frees the loop.  Chunks under way are left as after a crash, without claim and secrets. */
static void
leave(Loop *loop)
{
	ListCell   *cell;

	bi_quiet_leave(loop->quiet);
	if (loop->steps != NIL)
		bi_claim_release(loop->drive->mode);
	/* Transfers must end before the exchanges that they fill are freed. */
	MemoryContextDelete(loop->http_cxt);
	foreach(cell, loop->steps)
		bi_step_free(lfirst(cell));
	MemoryContextDelete(loop->cxt);
}

TimestampTz
bi_drive(const BiDrive *drive)
{
	Loop		loop = {.drive = drive, .look = true, .ntouched = -1, .next_refresh = DT_NOEND};
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	TimestampTz due;

	loop.cxt = AllocSetContextCreate(TopMemoryContext, "batchinf drive", ALLOCSET_DEFAULT_SIZES);
	loop.turn_cxt = AllocSetContextCreate(loop.cxt, "batchinf turn", ALLOCSET_DEFAULT_SIZES);
	loop.dues_cxt = AllocSetContextCreate(loop.cxt, "batchinf dues", ALLOCSET_SMALL_SIZES);
	bi_removal_init(&loop.removal);
	loop.http_cxt = AllocSetContextCreate(loop.cxt, "batchinf transfers", ALLOCSET_SMALL_SIZES);
	loop.http = bi_http_new(loop.http_cxt);
	loop.faults.cxt = loop.cxt;
	loop.polls = (BiQuietWish) {
		.claimer = {loop.cxt, drive->mode, loop.http, &loop.faults},
		.done_until = drive->polled_until,
		.host = drive->host,
	};
	loop.share = bi_share_new(loop.cxt, drive->host);
	loop.quiet = bi_quiet_new(loop.cxt, &loop.polls);
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
	due = next_due(&loop);
	leave(&loop);
	bi_login_forget();
	if (error)
		ReThrowError(error);
	return due;
}
