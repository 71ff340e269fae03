/*
 * worker/shmem.c: asks for the shared memory of the workers and sets it up.
 *
 * Processes are known there by pid, never by pointer.  After a crash of the server the
 * slots begin empty: what was due stands in the tables, and every database is visited.
 * Called by launcher.c while preloading and by slot.c; knows nothing of what the slots
 * are for.
 */
#include "postgres.h"

#include "base/backoff.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "worker/shmem.h"

#define QUIET_MIN 60			/* without a crash: they are counted anew */

static const char *const tranche = "batchinf";

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static BiShared *shared = NULL;

/* Of the postmaster, which outlives the crashes of its children. */
static TimestampTz started_at = 0;
static int	crashes = -1;		/* in a row, less one */

/* After a crash, which may be of our making, visits wait longer each time: the server
 * must stay reachable for whoever switches us off. */
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
