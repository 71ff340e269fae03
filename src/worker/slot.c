/*
 * worker/slot.c: the slots {database, due, pid, failures, holder} and who does what
 * with them.
 *
 * All of it stands under one lock that is held for a walk over the array and no
 * longer.  A visit wipes its pid under the lock, so a signal sent under the lock meets
 * nobody else.  A slot whose database has nothing due is freed by the
 * launcher once its last visit is a while ago.
 * Called by launcher.c, visit.c, wake.c and hook.c; knows of no catalog.
 */
#include "postgres.h"

#include <signal.h>

#include "base/backoff.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"
#include "worker/shmem.h"
#include "worker/slot.h"

static BiVisitSlot *mine = NULL;	/* of the visit that this process is */

#define APART_MS 1000			/* between the starts of two visits of one database */

bool
bi_slot_present(void)
{
	return bi_shmem_get() != NULL;
}

void
bi_slot_poke(pid_t pid)
{
	PGPROC	   *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

/* A database that fails waits for the end of its back-off all the same.  The lock is
 * held here and in the next two. */
static BiVisitSlot *
make_due(BiShared *shared, Oid database)
{
	BiVisitSlot *slot = bi_shmem_slot(shared, database, true);

	if (slot != NULL && slot->failures == 0)
		slot->due = GetCurrentTimestamp();
	return slot;
}

/* Counts the failure and puts off the next visit. */
static void
back_off(BiVisitSlot *slot)
{
	int64		ms = bi_backoff_ms(5000, 2.0, 300000, slot->failures, pg_prng_double(&pg_global_prng_state));

	slot->failures++;
	slot->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

/* A holder that is gone holds nothing. */
static bool
is_held(BiVisitSlot *slot)
{
	if (slot->holder != 0 && BackendPidGetProc(slot->holder) == NULL)
		slot->holder = 0;
	return slot->holder != 0;
}

/* What was asked of a launcher that is gone is asked anew. */
void
bi_slot_open(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);

	shared->launcher = MyProcPid;
	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
		shared->slot[i].starting = false;
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

		if (OidIsValid(slot->database) && slot->pid == 0 && !slot->starting && !is_held(slot) &&
			!list_member_oid(databases, slot->database))
			slot->database = InvalidOid;
	}
	bi_shmem_unlock(shared);
}

/* When its next visit may start; DT_NOEND: none is to. */
static TimestampTz
next_visit(const BiVisitSlot *slot)
{
	if (slot->due == DT_NOEND)
		return DT_NOEND;
	return Max(slot->due, TimestampTzPlusMilliseconds(slot->visited, APART_MS));
}

/* Is all forgotten that it had to remember? */
static bool
is_idle(BiVisitSlot *slot, TimestampTz now)
{
	return slot->pid == 0 && !slot->starting && slot->due == DT_NOEND &&
		TimestampDifferenceExceeds(slot->visited, now, APART_MS) && !is_held(slot);
}

int
bi_slot_pick(int max_visits, TimestampTz now, Oid *database, TimestampTz *next)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *picked = NULL;
	int			visits = 0;

	*next = DT_NOEND;
	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
	{
		BiVisitSlot *slot = &shared->slot[i];

		if (!OidIsValid(slot->database))
			continue;
		if (slot->pid != 0 || slot->starting)
			visits++;
		else if (is_idle(slot, now))
			slot->database = InvalidOid;
		else if (next_visit(slot) > now)
			*next = Min(*next, next_visit(slot));
		else if ((picked == NULL || slot->visited < picked->visited) && !is_held(slot))
			picked = slot;
	}
	if (now < shared->not_before)
		*next = shared->not_before;
	if (visits >= max_visits || now < shared->not_before)
		picked = NULL;
	if (picked != NULL)
	{
		picked->starting = true;
		picked->visited = now;
		*database = picked->database;
	}
	bi_shmem_unlock(shared);
	return picked == NULL ? -1 : picked - shared->slot;
}

void
bi_slot_not_started(int i, bool failed)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot = &shared->slot[i];

	if (slot->starting && failed)
		back_off(slot);
	slot->starting = false;
	bi_shmem_unlock(shared);
}

bool
bi_slot_attach(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;

	if (shared == NULL)
		return true;
	slot = bi_shmem_slot(shared, database, false);
	if (slot != NULL && slot->pid == 0)
	{
		slot->starting = false;
		if (!is_held(slot))
		{
			slot->pid = MyProcPid;
			mine = slot;
		}
	}
	bi_shmem_unlock(shared);
	return mine != NULL;
}

/* The visit is over: the launcher may start another.  Gives the lock back. */
static void
let_go(BiShared *shared)
{
	mine->pid = 0;
	mine->woken = false;
	mine = NULL;
	bi_slot_poke(shared->launcher);
	bi_shmem_unlock(shared);
}

/* A wake that came too late for this visit is for the next. */
void
bi_slot_detach(TimestampTz due)
{
	TimestampTz now = GetCurrentTimestamp();
	BiShared   *shared;

	if (mine == NULL)
		return;
	shared = bi_shmem_lock(LW_EXCLUSIVE);
	mine->failures = 0;
	mine->due = mine->woken ? now : Max(due, TimestampTzPlusMilliseconds(now, 1000));
	let_go(shared);
}

/* Being sent away is no failure. */
void
bi_slot_give_up(void)
{
	BiShared   *shared;

	if (mine == NULL)
		return;
	shared = bi_shmem_lock(LW_EXCLUSIVE);
	if (mine->holder == 0)
		back_off(mine);
	let_go(shared);
}

/* Without the lock: it is asked at every turn, and a late answer does no harm. */
bool
bi_slot_held(void)
{
	return mine != NULL && ((volatile BiVisitSlot *) mine)->holder != 0;
}

bool
bi_slot_take_wake(void)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	bool		woken = mine != NULL && mine->woken;

	if (woken)
		mine->woken = false;
	if (shared != NULL)
		bi_shmem_unlock(shared);
	return woken;
}

void
bi_slot_wake(Oid database)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;

	if (shared == NULL)
		return;
	slot = make_due(shared, database);
	if (slot != NULL)
	{
		slot->woken = slot->pid != 0;
		bi_slot_poke(slot->pid != 0 ? slot->pid : shared->launcher);
	}
	bi_shmem_unlock(shared);
}

pid_t
bi_slot_hold(Oid database, bool dropping)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot;
	pid_t		visit = 0;

	if (shared == NULL)
		return 0;
	slot = bi_shmem_slot(shared, database, true);
	if (slot != NULL)
	{
		slot->holder = MyProcPid;
		slot->dropping = dropping;
		visit = slot->pid;
		bi_slot_poke(visit);
	}
	bi_shmem_unlock(shared);
	return visit;
}

void
bi_slot_terminate(Oid database, pid_t visit)
{
	BiShared   *shared = bi_shmem_lock(LW_EXCLUSIVE);
	BiVisitSlot *slot = bi_shmem_slot(shared, database, false);

	if (slot != NULL && visit != 0 && slot->pid == visit)
		kill(visit, SIGTERM);
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
		if (slot->pid == 0 && committed && slot->dropping)
			slot->database = InvalidOid;
	}
	bi_slot_poke(shared->launcher);
	bi_shmem_unlock(shared);
}
