/*
 * worker/visitor.c: this process as a visit of a database, among others.
 *
 * A visit has a place in the slot of its database.  It says there what it is doing, for the
 * launcher and for the other visits, and reads what these are doing.  Knows no catalog.
 */
#include "postgres.h"

#include "engine/host.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "worker/shmem.h"
#include "worker/visitor.h"

/* A visit that others wait for leaves after this time. */
#define YIELD_MS 30000

static BiVisitSlot *mine = NULL;	/* the slot of this visit's database, or NULL ... */
static BiVisitor *me = NULL;	/* ... and its place there */
static TimestampTz came_at;		/* when it came */

/* Returns a place of the slot that waits for its visit, or NULL. */
static BiVisitor *
find_seat(BiVisitSlot *slot)
{
	for (int i = 0; i < BI_SHMEM_VISITS; i++)
		if (slot->visitor[i].starting)
			return &slot->visitor[i];
	return bi_shmem_count_visits(slot) == 0 ? &slot->visitor[0] : NULL;
}

bool
bi_visitor_attach(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;
	BiVisitor  *visitor;

	if (shared == NULL)
		return true;
	slot = bi_shmem_slot(shared, database, false);
	visitor = slot ? find_seat(slot) : NULL;
	if (visitor)
		visitor->starting = false;
	if (visitor && !bi_shmem_is_held(slot))
	{
		if (bi_shmem_count_visits(slot) == 0)
			slot->left_due = DT_NOEND;
		*visitor = (BiVisitor) {.pid = MyProcPid};
		mine = slot;
		me = visitor;
		came_at = GetCurrentTimestamp();
	}
	bi_shmem_unlock(shared);
	return mine != NULL;
}

/* Ends the visit: the launcher may start another one.  Releases the lock. */
static void
let_go(BiShared *shared)
{
	*me = (BiVisitor) {0};
	me = NULL;
	mine = NULL;
	bi_shmem_poke(shared->launcher);
	bi_shmem_unlock(shared);
}

void
bi_visitor_detach(TimestampTz due)
{
	TimestampTz now = GetCurrentTimestamp();
	BiShared   *shared;

	if (mine == NULL)
		return;
	shared = bi_shmem_lock(LW_EXCLUSIVE);
	mine->failures = 0;
	/* If somebody woke this visit too late for it to see the work, the next one must. */
	due = me->woken ? now : Max(due, TimestampTzPlusMilliseconds(now, 1000));
	mine->left_due = Min(mine->left_due, due);
	if (bi_shmem_count_visits(mine) == 1)
		mine->due = mine->left_due;
	let_go(shared);
}

void
bi_visitor_busy(TimestampTz next)
{
	if (me == NULL)
		return;
	((volatile BiVisitor *) me)->next = next;
	((volatile BiVisitor *) me)->busy_since = GetCurrentTimestamp();
}

void
bi_visitor_rests(void)
{
	if (me != NULL)
		((volatile BiVisitor *) me)->busy_since = 0;
}

void
bi_visitor_set_load(int load, bool crowded)
{
	BiShared   *shared;

	if (me == NULL || (me->crowded == crowded && me->load == load && me->seen == 0))
		return;
	shared = bi_shmem_lock(LW_EXCLUSIVE);
	if (crowded && !me->crowded)
		bi_shmem_poke(shared->launcher);
	/* those who came to help need not wait any more */
	if (me->crowded && !crowded)
		(void) bi_shmem_wake_visits(mine, me);
	me->crowded = crowded;
	me->load = load;
	me->promised -= me->seen;
	me->seen = 0;
	bi_shmem_unlock(shared);
}

/* Returns another visit of the database that has this load at most and is not stuck, or NULL.
 * extra: or so much more, if something was handed over to it just now. */
static BiVisitor *
find_freer(int load, int extra)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; mine && i < BI_SHMEM_VISITS; i++)
	{
		BiVisitor  *other = &mine->visitor[i];

		if (other != me && other->pid != 0 && !bi_shmem_is_stuck(other, now) &&
			other->load + other->promised <= load + (other->promised > 0 ? extra : 0))
			return other;
	}
	return NULL;
}

bool
bi_visitor_has_freer(int load)
{
	BiShared   *shared = bi_shmem_lock(LW_SHARED);
	bool		has = find_freer(load - 1, 1) != NULL;

	bi_shmem_unlock(shared);
	return has;
}

bool
bi_visitor_hand_over(int load)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitor  *other = find_freer(load - 2, 0);

	if (other)
		other->promised++;
	bi_shmem_unlock(shared);
	return other != NULL;
}

/* Reads without the lock, as bi_visitor_held. */
bool
bi_visitor_is_first(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (mine == NULL)
		return true;
	for (volatile BiVisitor *other = mine->visitor; other < me; other++)
		if (other->pid != 0 && !bi_shmem_is_stuck((BiVisitor *) other, now))
			return false;
	return true;
}

bool
bi_visitor_helps(void)
{
	BiShared   *shared = bi_shmem_lock(LW_SHARED);
	bool		helps = false;

	for (int i = 0; mine && i < BI_SHMEM_VISITS; i++)
		helps = helps || (&mine->visitor[i] != me && mine->visitor[i].crowded);
	bi_shmem_unlock(shared);
	return helps;
}

bool
bi_visitor_has_company(void)
{
	BiShared   *shared = bi_shmem_lock(LW_SHARED);
	bool		has = mine != NULL && bi_shmem_count_visits(mine) > 1;

	bi_shmem_unlock(shared);
	return has;
}

void
bi_visitor_wake_others(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	if (mine)
		(void) bi_shmem_wake_visits(mine, me);
	bi_shmem_unlock(shared);
}

/* True if the visitor runs code of the owner that another visit must not run beside it. */
static bool
keeps_code(const BiVisitor *visitor, Oid owner, bool quick)
{
	if (visitor == me || visitor->pid == 0 || visitor->code_of != owner)
		return false;
	return (!quick && !visitor->code_is_quick) ||
		TimestampDifferenceExceeds(visitor->code_since, GetCurrentTimestamp(), BI_HOST_QUICK_MS);
}

bool
bi_visitor_begin_code(Oid owner, bool quick)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	bool		may = true;

	for (int i = 0; mine && i < BI_SHMEM_VISITS; i++)
		may = may && !keeps_code(&mine->visitor[i], owner, quick);
	if (may && me)
	{
		me->code_of = owner;
		me->code_since = GetCurrentTimestamp();
		me->code_is_quick = quick;
	}
	bi_shmem_unlock(shared);
	return may;
}

void
bi_visitor_end_code(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	if (me)
		me->code_of = InvalidOid;
	bi_shmem_unlock(shared);
}

/* Reads without the lock, as bi_visitor_held. */
bool
bi_visitor_must_yield(void)
{
	if (mine == NULL || !((volatile BiShared *) bi_shmem_get())->is_short)
		return false;
	return me != mine->visitor ||
		TimestampDifferenceExceeds(came_at, GetCurrentTimestamp(), YIELD_MS);
}

TimestampTz
bi_visitor_polled_until(void)
{
	BiShared   *shared = bi_shmem_lock(LW_SHARED);
	TimestampTz until = mine != NULL ? mine->polled_until : 0;

	bi_shmem_unlock(shared);
	return until;
}

void
bi_visitor_set_polled_until(TimestampTz until)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	if (mine != NULL)
		mine->polled_until = until;
	bi_shmem_unlock(shared);
}

void
bi_visitor_give_up(void)
{
	BiShared   *shared;

	if (mine == NULL)
		return;
	shared = bi_shmem_lock(LW_EXCLUSIVE);
	/* To be sent away by a holder is no failure. */
	if (mine->holder == 0)
		bi_shmem_back_off(mine);
	let_go(shared);
}

/* Reads without the lock: each turn of the loop asks, and a late answer does no harm. */
bool
bi_visitor_held(void)
{
	return mine != NULL && ((volatile BiVisitSlot *) mine)->holder != 0;
}

/* Reads without the lock, as bi_visitor_held. */
bool
bi_visitor_is_woken(void)
{
	return me != NULL && ((volatile BiVisitor *) me)->woken;
}

bool
bi_visitor_take_wake(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	bool		woken = me != NULL && me->woken;

	if (woken)
		me->woken = false;
	if (me != NULL)
		me->seen = me->promised;
	bi_shmem_unlock(shared);
	return woken;
}
