/*
 * worker/slot.c: the slots {database, due, failures, holder, visitors}, and what the launcher and
 * sessions do with them.  What visits do: visitor.c.
 *
 * One lock guards all slots.  It is held for one walk over the array and no longer.  A visit clears
 * its pid under the lock, so a signal that is sent under the lock reaches that visit or nobody.
 * The launcher frees a slot when nothing is due there and the last visit is over for a while.
 * Knows no catalog.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "utils/timestamp.h"
#include "worker/shmem.h"
#include "worker/slot.h"

/* Two visits of one database start at least this time apart. */
#define APART_MS 1000

/* While there are visits, the launcher looks at them after this time. */
#define LOOK_MS 2000

bool
bi_slot_present(void)
{
	return bi_shmem_get() != NULL;
}

/* Makes the database due now.  One that fails keeps the time of its back-off.  Returns its slot, or
 * NULL if no slot is free.  The lock must be held. */
static BiVisitSlot *
make_due(BiShared *shared, Oid database)
{
	BiVisitSlot *slot = bi_shmem_slot(shared, database, true);

	if (slot != NULL && slot->failures == 0)
		slot->due = GetCurrentTimestamp();
	return slot;
}

void
bi_slot_open(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	shared->launcher = MyProcPid;
	/* A visit that an earlier launcher asked for may never have come: it is asked for again. */
	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
		for (int k = 0; k < BI_SHMEM_VISITS; k++)
			shared->slot[i].visitor[k].starting = false;
	bi_shmem_unlock(shared);
}

void
bi_slot_close(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	shared->launcher = 0;
	bi_shmem_unlock(shared);
}

bool
bi_slot_launcher_runs(void)
{
	BiShared   *shared = bi_shmem_get();

	return shared != NULL && ((volatile BiShared *) shared)->launcher != 0;
}

bool
bi_slot_add(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	bool		added = make_due(shared, database) != NULL;

	bi_shmem_unlock(shared);
	return added;
}

void
bi_slot_keep_only(const List *databases)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
	{
		BiVisitSlot *slot = &shared->slot[i];

		if (OidIsValid(slot->database) && bi_shmem_count_visits(slot) == 0 &&
			!bi_shmem_is_held(slot) && !list_member_oid(databases, slot->database))
			slot->database = InvalidOid;
	}
	bi_shmem_unlock(shared);
}

/* Returns when its next visit may start; DT_NOEND: no visit is wanted. */
static TimestampTz
next_visit(const BiVisitSlot *slot)
{
	if (slot->due == DT_NOEND)
		return DT_NOEND;
	return Max(slot->due, TimestampTzPlusMilliseconds(slot->visited, APART_MS));
}

/* True if the slot holds nothing that must be remembered. */
static bool
is_idle(BiVisitSlot *slot, TimestampTz now)
{
	return bi_shmem_count_visits(slot) == 0 && slot->due == DT_NOEND &&
		TimestampDifferenceExceeds(slot->visited, now, APART_MS) && !bi_shmem_is_held(slot);
}

/* True if the visitor needs help: it has too much to do, or it is stuck while there is more. */
static bool
needs_help(const BiVisitor *visitor, TimestampTz now)
{
	if (visitor->starting || visitor->crowded)
		return visitor->crowded;
	return bi_shmem_is_stuck(visitor, now) && (visitor->woken || visitor->next <= now);
}

/* True if a database that has n visits is to have one more.  Where all that it may have are stuck,
 * it may have that one: their owners' code does not begin there. */
static bool
wants_another(const BiVisitSlot *slot, int n, const BiVisitLimits *limits, TimestampTz now)
{
	int			stuck = 0;

	if (slot->failures > 0 || !TimestampDifferenceExceeds(slot->visited, now, APART_MS))
		return false;
	for (int i = 0; i < BI_SHMEM_VISITS; i++)
	{
		const BiVisitor *visitor = &slot->visitor[i];

		if (visitor->pid == 0 && !visitor->starting)
			continue;
		if (!needs_help(visitor, now))
			return false;
		stuck += !visitor->starting && bi_shmem_is_stuck(visitor, now);
	}
	return n < limits->of_database + (stuck == n);
}

/* What a walk over the slots finds. */
typedef struct Pick
{
	const BiVisitLimits *limits;
	TimestampTz now;
	TimestampTz next;			/* when to walk again */
	int			visits;			/* all that are under way */
	BiVisitSlot *first;			/* this database wants its first visit; NULL: none does */
	BiVisitSlot *further;		/* this one wants one more */
} Pick;

static void
see_slot(Pick *pick, BiVisitSlot *slot)
{
	int			n = bi_shmem_count_visits(slot);

	pick->visits += n;
	if (n > 0)
	{
		pick->next = Min(pick->next, TimestampTzPlusMilliseconds(pick->now, LOOK_MS));
		if (wants_another(slot, n, pick->limits, pick->now) && !bi_shmem_is_held(slot))
			pick->further = slot;
	}
	else if (is_idle(slot, pick->now))
		slot->database = InvalidOid;
	else if (next_visit(slot) > pick->now)
		pick->next = Min(pick->next, next_visit(slot));
	else if ((pick->first == NULL || slot->visited < pick->first->visited) &&
			 !bi_shmem_is_held(slot))
		pick->first = slot;
}

/* Takes a free place of the slot for a visit that is to be started.  Returns its seat. */
static int
take_seat(BiShared *shared, BiVisitSlot *slot, TimestampTz now)
{
	int			i = 0;

	while (slot->visitor[i].pid != 0 || slot->visitor[i].starting)
		i++;
	slot->visitor[i] = (BiVisitor) {.starting = true};
	slot->visited = now;
	return (slot - shared->slot) * BI_SHMEM_VISITS + i;
}

int
bi_slot_pick(const BiVisitLimits *limits, TimestampTz now, Oid *database, TimestampTz *next)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	Pick		pick = {.limits = limits, .now = now, .next = DT_NOEND};
	BiVisitSlot *picked;
	int			seat = -1;

	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
		if (OidIsValid(shared->slot[i].database))
			see_slot(&pick, &shared->slot[i]);
	picked = pick.first ? pick.first : pick.further;
	if (now < shared->not_before)
	{
		pick.next = shared->not_before;
		picked = NULL;
	}
	shared->is_short = pick.first != NULL && pick.visits >= limits->all;
	if (picked && pick.visits < limits->all)
	{
		seat = take_seat(shared, picked, now);
		*database = picked->database;
	}
	*next = pick.next;
	bi_shmem_unlock(shared);
	return seat;
}

void
bi_slot_not_started(int seat, bool failed)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot = &shared->slot[seat / BI_SHMEM_VISITS];
	BiVisitor  *visitor = &slot->visitor[seat % BI_SHMEM_VISITS];

	if (visitor->starting && failed)
		bi_shmem_back_off(slot);
	else if (visitor->starting && bi_shmem_count_visits(slot) == 1)
		shared->is_short = true;
	visitor->starting = false;
	bi_shmem_unlock(shared);
}

void
bi_slot_wake(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;

	if (shared == NULL)
		return;
	slot = make_due(shared, database);
	if (slot == NULL || !bi_shmem_wake_visits(slot, NULL))
		bi_shmem_poke(shared->launcher);
	bi_shmem_unlock(shared);
}

int
bi_slot_hold(Oid database, bool dropping, pid_t visits[BI_SHMEM_VISITS])
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;
	int			n = 0;

	if (shared == NULL)
		return 0;
	slot = bi_shmem_slot(shared, database, true);
	if (slot != NULL)
	{
		slot->holder = MyProcPid;
		slot->dropping = dropping;
	}
	for (int i = 0; slot && i < BI_SHMEM_VISITS; i++)
	{
		if (slot->visitor[i].pid == 0)
			continue;
		visits[n++] = slot->visitor[i].pid;
		bi_shmem_poke(slot->visitor[i].pid);
	}
	bi_shmem_unlock(shared);
	return n;
}

void
bi_slot_terminate(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot = shared ? bi_shmem_slot(shared, database, false) : NULL;

	for (int i = 0; slot && i < BI_SHMEM_VISITS; i++)
		if (slot->visitor[i].pid != 0)
			kill(slot->visitor[i].pid, SIGTERM);
	bi_shmem_unlock(shared);
}

void
bi_slot_release(bool committed)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	if (shared == NULL)
		return;
	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
	{
		BiVisitSlot *slot = &shared->slot[i];

		if (!OidIsValid(slot->database) || slot->holder != MyProcPid)
			continue;
		slot->holder = 0;
		if (bi_shmem_count_visits(slot) == 0 && committed && slot->dropping)
			slot->database = InvalidOid;
	}
	bi_shmem_poke(shared->launcher);
	bi_shmem_unlock(shared);
}
