/*
 * engine/share.c: the time of a loop, shared by owner.
 *
 * Most pieces of work are ours and short.  But where results are delivered or written again, code
 * of the job's owner runs: triggers, row policies, casts, defaults, the checks of a schema, paths.
 * It runs in our process, and everybody else waits meanwhile.  So these pieces are shared:
 *
 * - In one turn of the loop an owner has TURN_MS.  What they have ready beyond that waits for the
 *   next turn.
 * - A group has only as many rows as that time is enough for, by what writing a row took last.  A
 *   group may cost much by itself: a statement on thousands of partitions is planned for seconds.
 *   Then it is as large as that cost is worth.
 * - Code of the owner has SHARED_MS in a piece, however large batchinf.write_timeout is.  What it
 *   could not do then waits, and is tried again.
 * - An owner whose last piece took longer than BI_HOST_QUICK_MS is slow.  After a slow piece of
 *   time t no slow owner runs for 4 t, so that all of them together have a fifth of the time.  They
 *   take turns: the one that waited for longest is next.
 * - One whose code has not run here yet may be slow, too.  After a slow piece it waits for the next
 *   turn, in which everything else goes on first.
 *
 * An owner is alone while no other one has a step in this loop.  Then their code need not rest, but
 * a turn still has one slow piece at most: the next turn looks for what others have, and begins
 * with the step behind the slow one, so that the owner's jobs take turns, too.  And code that is
 * alone may have all the time of batchinf.write_timeout: in a user's session (batch_work), and for
 * writes that are repeated.  SHARED_MS of it are sure.  After these it goes on until something of
 * another owner is due, or until this process is wanted.  The first writes of a visit's results
 * have SHARED_MS even then: what is new must be quick.
 *
 * Other processes may work in the same database (host.h).  Code of an owner that is slow, or not
 * known yet, runs in one of them at a time: it holds up no more than one.
 *
 * Why the time of what has been, and no estimate of what comes?  Code of an owner can do anything.
 * But slow code is mostly slow in all rows.
 */
#include "postgres.h"

#include <math.h>

#include "base/guc.h"
#include "engine/results/deliver.h"
#include "engine/share.h"
#include "store/chunk.h"
#include "utils/timestamp.h"

/* Code of an owner may run this long in one piece, where it holds up others. */
#define SHARED_MS 3000

/* After a slow piece, slow owners wait for this many times as long as it took. */
#define REST_TIMES 4

/* An owner's time in one turn, beside others; and what a group of one may take alone, where no
 * other process works in the database, to which long pieces would look slow. */
#define TURN_MS 100
#define ALONE_MS 1000

/* What a group costs by itself may fill this much of the time that is sure. */
#define GROUP_PART 0.75

/* A piece whose owner must wait is looked at again after this time: others may have left. */
#define AGAIN_MS 100

/* An owner whose code has run in this loop.  Lives as long as BiShare. */
typedef struct Owner
{
	Oid			oid;
	int64		last_ms;		/* what its last piece took; -1: none has run */
	TimestampTz ran_at;			/* when that ended; 0: never */
	int64		turn_ms;		/* what its pieces of this turn have taken */
	int64		written;		/* rows of its last piece that wrote any; 0: none has yet */
	int64		written_us;		/* ... and the time that writing them took, in microseconds */
	double		group_us;		/* how much of that a group takes whatever its rows are ... */
	double		row_us;			/* ... and how much each row of it */
} Owner;

struct BiShare
{
	MemoryContext cxt;
	List	   *owners;			/* Owner */
	TimestampTz rest_until;		/* no slow owner runs before */
	const BiDriveHost *host;	/* NULL: a session */
	bool		slow_turn;		/* a slow piece was done in this turn */
	const BiStep *last_slow;	/* the step whose slow piece was the last one.  It may be gone */
	const BiShareTurn *turn;	/* this turn */
	TimestampTz now;			/* when it began */
};

BiShare *
bi_share_new(MemoryContext cxt, const BiDriveHost *host)
{
	BiShare    *share = MemoryContextAllocZero(cxt, sizeof(BiShare));

	share->cxt = cxt;
	share->host = host;
	return share;
}

/* Returns what is known of the owner; they may be new. */
static Owner *
find_owner(BiShare *share, Oid oid)
{
	MemoryContext old;
	Owner	   *owner;
	ListCell   *cell;

	foreach(cell, share->owners)
	{
		owner = lfirst(cell);
		if (owner->oid == oid)
			return owner;
	}
	old = MemoryContextSwitchTo(share->cxt);
	owner = palloc0(sizeof(Owner));
	owner->oid = oid;
	owner->last_ms = -1;
	share->owners = lappend(share->owners, owner);
	MemoryContextSwitchTo(old);
	return owner;
}

static bool
is_slow(const Owner *owner)
{
	return owner->last_ms > BI_HOST_QUICK_MS;
}

/* True if code of the owner ran here, and was quick the last time. */
static bool
is_quick(const Owner *owner)
{
	return owner->last_ms >= 0 && !is_slow(owner);
}

double
bi_share_estimate(BiShare *share, Oid oid, int64 rows)
{
	const Owner *owner = find_owner(share, oid);

	return owner->row_us <= TURN_MS * 1000 ? owner->row_us / 1000 * rows : 0;
}

/* True if another process must not run code of the owner at the same time. */
static bool
runs_elsewhere(const BiShare *share, const Owner *owner)
{
	bool		quick = is_quick(owner);

	return share->host && !share->host->begin_code(owner->oid, quick);
}

/* True if no other owner has a step in this loop. */
static bool
is_alone(const BiShare *share, const Owner *owner)
{
	ListCell   *cell;

	foreach(cell, share->turn->steps)
		if (((BiStep *) lfirst(cell))->job->owner != owner->oid)
			return false;
	return true;
}

/* True if another slow owner, who has waited for longer, has code to run, too. */
static bool
is_behind_another(BiShare *share, const Owner *owner)
{
	ListCell   *cell;

	foreach(cell, share->turn->steps)
	{
		const BiStep *step = lfirst(cell);
		const Owner *other;

		if (!bi_deliver_runs_code(step))
			continue;
		other = find_owner(share, step->job->owner);
		if (is_slow(other) && other->ran_at < owner->ran_at)
			return true;
	}
	return false;
}

/* True if code of the owner must not run in this turn, because others work here, too. */
static bool
must_wait(BiShare *share, const Owner *owner)
{
	if (owner->turn_ms >= TURN_MS)
		return true;
	if (owner->last_ms < 0)
		return share->slow_turn;
	return is_slow(owner) &&
		(share->now < share->rest_until || share->slow_turn || is_behind_another(share, owner));
}

/* Returns when something of another owner is due. */
static TimestampTz
others_due(const BiShare *share, const Owner *owner)
{
	TimestampTz due = bi_quiet_due_of_others(share->turn->quiet, owner->oid);
	ListCell   *cell;

	foreach(cell, share->turn->dues)
	{
		const BiOwnerDue *other = lfirst(cell);

		if (other->owner != owner->oid)
			due = Min(due, other->at);
	}
	return due;
}

/* Returns how many rows of the owner a group may have that is to take that time. */
static int
count_rows(const Owner *owner, int ms)
{
	double		sure = GROUP_PART * SHARED_MS * 1000;
	double		us = Max(ms * 1000.0 - owner->group_us,
						 Min(owner->group_us, sure - owner->group_us));
	double		rows = us / Max(owner->row_us, 1);

	/* Step by step: what a group costs is known from two of them only. */
	if (owner->group_us > 0)
		rows = us > 0 ? Min(rows, owner->written * 2.0) : owner->written;
	return (int) Min(Max(rows, 1), PG_INT32_MAX);
}

/* Returns until when code of the owner may run in the step's piece of work, which begins now. */
static TimestampTz
code_until(const BiShare *share, const Owner *owner, const BiStep *step, bool is_alone,
		   TimestampTz now)
{
	bool		may_have_all = step->mode == BI_XACT_PROCEDURE || step->move == BI_MOVE_REWRITE;
	TimestampTz sure = TimestampTzPlusMilliseconds(now, SHARED_MS);
	TimestampTz all = TimestampTzPlusMilliseconds(now, bi_guc_write_timeout);

	if (!is_alone || !may_have_all)
		return Min(all, sure);
	return Min(all, Max(sure, others_due(share, owner)));
}

static void
allot(const BiShare *share, const Owner *owner, BiStep *step, bool is_alone)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = code_until(share, owner, step, is_alone, now);
	bool		shares = share->turn->is_crowded || (share->host && share->host->has_company());
	int			ms = is_alone && !shares ? ALONE_MS : TURN_MS;

	step->share = (BiStepShare) {
		.until = until,
		.wanted_until = TimestampTzPlusMilliseconds(now, SHARED_MS),
		.is_wanted = share->host ? share->host->is_wanted : NULL,
		.is_cut = until < TimestampTzPlusMilliseconds(now, bi_guc_write_timeout),
		.rows = count_rows(owner, ms),
	};
}

/* Learns from a piece that wrote rows.  Two groups of different sizes tell what the rows cost and
 * what the group does; before that all is taken for the rows' cost. */
static void
note_rows(Owner *owner, int64 rows, int64 us)
{
	int64		more = rows - owner->written;

	if (owner->written > 0 && fabs((double) more) * 2 >= owner->written)
	{
		double		row_us = (double) (us - owner->written_us) / more;

		owner->group_us = us - rows * Min(Max(row_us, 0), (double) us / rows);
	}
	owner->group_us = Min(owner->group_us, us);
	owner->row_us = (us - owner->group_us) / rows;
	owner->written = rows;
	owner->written_us = us;
}

/* Takes down what a piece of the owner has taken since then. */
static void
note_time(BiShare *share, Owner *owner, const BiStep *step, TimestampTz since)
{
	const BiStepShare *piece = &step->share;

	owner->ran_at = GetCurrentTimestamp();
	owner->last_ms = (owner->ran_at - since) / 1000;
	owner->turn_ms += owner->last_ms;
	if (piece->written > 0)
		note_rows(owner, piece->written, piece->written_us);
	if (!is_slow(owner))
		return;
	share->slow_turn = true;
	share->last_slow = step;
	share->rest_until = TimestampTzPlusMilliseconds(owner->ran_at, owner->last_ms * REST_TIMES);
}

/* Runs the step's piece of work, in which code of its owner runs, if it is their turn. */
static void
work_with_code(BiShare *share, BiStep *step)
{
	Owner	   *owner = find_owner(share, step->job->owner);
	bool		alone = is_alone(share, owner);
	TimestampTz since;

	if (alone && share->slow_turn)
		return;
	if ((!alone && must_wait(share, owner)) || runs_elsewhere(share, owner))
	{
		step->not_before = TimestampTzPlusMilliseconds(share->now, AGAIN_MS);
		return;
	}
	allot(share, owner, step, alone);
	since = GetCurrentTimestamp();
	bi_step_work(step);
	if (share->host)
		share->host->end_code();
	note_time(share, owner, step, since);
}

/* Returns the number of the step that goes first: the one behind that whose piece was slow. */
static int
first_step(const BiShare *share)
{
	ListCell   *cell;

	foreach(cell, share->turn->steps)
		if (lfirst(cell) == share->last_slow)
			return foreach_current_index(cell) + 1;
	return 0;
}

static bool
is_ready(const BiStep *step, TimestampTz now)
{
	return step->work && step->not_before <= now;
}

static void
begin_turn(BiShare *share, const BiShareTurn *turn)
{
	ListCell   *cell;

	foreach(cell, share->owners)
		((Owner *) lfirst(cell))->turn_ms = 0;
	share->slow_turn = false;
	share->turn = turn;
	share->now = GetCurrentTimestamp();
}

bool
bi_share_work(BiShare *share, const BiShareTurn *turn)
{
	bool		more = false;
	int			n = list_length(turn->steps);
	int			first;

	begin_turn(share, turn);
	first = first_step(share);
	for (int i = 0; i < n; i++)
	{
		BiStep	   *step = list_nth(turn->steps, (first + i) % n);

		if (is_ready(step, share->now) && bi_deliver_runs_code(step))
			work_with_code(share, step);
		else if (is_ready(step, share->now))
			bi_step_work(step);
		more = more || is_ready(step, share->now);
	}
	return more;
}
