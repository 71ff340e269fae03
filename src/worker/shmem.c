/*
 * worker/shmem.c: asks for the shared memory of the workers and sets it up.
 *
 * Processes are known there by pid, never by pointer.  After a crash of the server the slots begin
 * empty.  Nothing is lost by that: what is due stands in the tables, and the launcher visits every
 * database at its start.  Has what slot.c and visitor.c both ask of a slot.
 */
#include "postgres.h"

#include "base/backoff.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "worker/shmem.h"

/* A visit that is busy with one thing for longer is stuck. */
#define STUCK_MS 5000

/* Crashes are counted from zero again after this time without one, in minutes. */
#define QUIET_MIN 60

static const char *const tranche = "batchinf";

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static BiShared *shared = NULL;

/* Variables of the postmaster, which survives the crashes of its children. */
static TimestampTz started_at = 0;
static int	crashes = -1;		/* in a row, minus one */

/* Returns when visits may start.  The crash may have been caused by us.  So after each further
 * crash visits wait longer: the server must stay reachable for the person who turns the extension
 * off. */
static TimestampTz
first_visit(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz quiet = TimestampTzPlusMilliseconds(started_at, QUIET_MIN * 60 * 1000);
	bool		crashed = started_at != 0;

	started_at = now;
	if (!crashed)
		return now;
	crashes = now < quiet ? crashes + 1 : 0;
	return TimestampTzPlusMilliseconds(now, bi_backoff_ms(5000, 2.0, 300000, crashes, 0.5));
}

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(BiShared)));
	RequestNamedLWLockTranche(tranche, 1);
}

static void
startup_shmem(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("batchinf", sizeof(BiShared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(BiShared));
		shared->lock = &GetNamedLWLockTranche(tranche)->lock;
		shared->not_before = first_visit();
	}
	LWLockRelease(AddinShmemInitLock);
}

void
bi_shmem_register(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

BiShared *
bi_shmem_get(void)
{
	return shared;
}

BiShared *
bi_shmem_lock(LWLockMode mode)
{
	if (shared != NULL)
		LWLockAcquire(shared->lock, mode);
	return shared;
}

void
bi_shmem_unlock(BiShared *memory)
{
	if (memory != NULL)
		LWLockRelease(memory->lock);
}

BiVisitSlot *
bi_shmem_slot(BiShared *memory, Oid database, bool add)
{
	BiVisitSlot *unused = NULL;

	for (int i = BI_SHMEM_SLOTS - 1; i >= 0; i--)
	{
		BiVisitSlot *slot = &memory->slot[i];

		if (slot->database == database)
			return slot;
		if (!OidIsValid(slot->database))
			unused = slot;
	}
	if (!add || unused == NULL)
		return NULL;
	memset(unused, 0, sizeof(BiVisitSlot));
	unused->database = database;
	unused->due = DT_NOEND;
	return unused;
}

void
bi_shmem_poke(pid_t pid)
{
	PGPROC	   *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

bool
bi_shmem_wake_visits(BiVisitSlot *slot, const BiVisitor *but)
{
	bool		any = false;

	for (int i = 0; i < BI_SHMEM_VISITS; i++)
	{
		BiVisitor  *visitor = &slot->visitor[i];

		if (visitor == but || visitor->pid == 0)
			continue;
		visitor->woken = true;
		bi_shmem_poke(visitor->pid);
		any = true;
	}
	return any;
}

int
bi_shmem_count_visits(const BiVisitSlot *slot)
{
	int			n = 0;

	for (int i = 0; i < BI_SHMEM_VISITS; i++)
		n += slot->visitor[i].pid != 0 || slot->visitor[i].starting;
	return n;
}

bool
bi_shmem_is_held(BiVisitSlot *slot)
{
	if (slot->holder != 0 && BackendPidGetProc(slot->holder) == NULL)
		slot->holder = 0;
	return slot->holder != 0;
}

void
bi_shmem_back_off(BiVisitSlot *slot)
{
	int64		ms = bi_backoff_ms(5000, 2.0, 300000, slot->failures,
								   pg_prng_double(&pg_global_prng_state));

	slot->failures++;
	slot->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

bool
bi_shmem_is_stuck(const BiVisitor *visitor, TimestampTz now)
{
	TimestampTz since = ((volatile const BiVisitor *) visitor)->busy_since;

	return since != 0 && TimestampDifferenceExceeds(since, now, STUCK_MS);
}
