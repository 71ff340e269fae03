/*
 * worker/shmem.h: the memory that the launcher, visits and sessions share.  Only slot.c
 * and visitor.c read and write it.
 */
#ifndef BI_SHMEM_H
#define BI_SHMEM_H

#include "postgres.h"

#include "base/guc.h"
#include "datatype/timestamp.h"
#include "storage/lwlock.h"

/* The number of databases that can have work at the same time. */
#define BI_SHMEM_SLOTS 1024

/* The most visits that a database can have at the same time: what the setting allows, and one more
 * while all of these are held up. */
#define BI_SHMEM_VISITS (BI_GUC_DATABASE_VISITS + 1)

/*
 * A visit, or the place for one.  Part of its slot.  BiShared's lock guards all but the last two
 * members, which the visit writes without it.
 */
typedef struct BiVisitor
{
	pid_t		pid;			/* 0: none is there.  By the visit */
	bool		starting;		/* it was asked for and has not come yet.  By the launcher */
	bool		woken;			/* there is new work since it last asked.  By sessions */
	bool		crowded;		/* it has more to do than one process can.  By the visit */
	int			load;			/* chunks whose results it delivers.  By the visit */
	int			promised;		/* chunks that were handed over to it since.  By others ... */
	int			seen;			/* ... and those of them that its last look found.  By the visit */
	Oid			code_of;		/* code of that owner runs; InvalidOid: none.  By the visit ... */
	TimestampTz code_since;		/* ... since then ... */
	bool		code_is_quick;	/* ... and it did not take long the last time */
	TimestampTz busy_since;		/* it has not rested since then; 0: it rests */
	TimestampTz next;			/* while it is busy: when it has something else to do */
} BiVisitor;

/*
 * What is known of one database.  A slot is taken when its database becomes due or is held, and
 * freed by the launcher when nothing is due there and its last visit is over for a while.
 * BiShared's lock guards all members; who writes each one stands beside it.
 */
typedef struct BiVisitSlot
{
	Oid			database;		/* InvalidOid: the slot is free */
	TimestampTz due;			/* when it has work; DT_NOEND: not known to have any.  By anybody */
	TimestampTz visited;		/* when a visit was last started, 0: never.  By the launcher */
	pid_t		holder;			/* the process that keeps visits away, 0: none.  By that process */
	int			failures;		/* visits that failed in a row.  By visits and the launcher */
	bool		dropping;		/* the holder drops the database.  By the holder */
	TimestampTz left_due;		/* while there are visits: when those that have left would come
								 * again.  By visits */
	TimestampTz polled_until;	/* as in BiDrive; 0: not known.  By visits */
	BiVisitor	visitor[BI_SHMEM_VISITS];
} BiVisitSlot;

/* All of it.  Lives as long as the server's shared memory; begins empty after each crash. */
typedef struct BiShared
{
	LWLock	   *lock;			/* guards all members below */
	pid_t		launcher;		/* 0: none runs */
	TimestampTz not_before;		/* no visit starts before this time; see shmem.c */
	bool		is_short;		/* a database waits for its first visit, because there are too many.
								 * By the launcher */
	BiVisitSlot slot[BI_SHMEM_SLOTS];
} BiShared;

/* Asks for the memory and its lock.  For _PG_init, while the library is being preloaded. */
extern void bi_shmem_register(void);

/* Returns the memory; NULL if the library was not preloaded. */
extern BiShared *bi_shmem_get(void);

/* The same with its lock held, until bi_shmem_unlock.  NULL has none. */
extern BiShared *bi_shmem_lock(LWLockMode mode);
extern void bi_shmem_unlock(BiShared *memory);

/* Returns the slot of that database, with the lock held.  If it has none: with add a new slot, in
 * which nothing is due, unless all are taken; otherwise NULL. */
extern BiVisitSlot *bi_shmem_slot(BiShared *memory, Oid database, bool add);

/* Sets the latch of that process, if it is alive.  pid 0: nothing. */
extern void bi_shmem_poke(pid_t pid);

/* What follows needs the lock. */

/* Wakes the visits of the slot, all but that one (NULL: all).  False if there is no other. */
extern bool bi_shmem_wake_visits(BiVisitSlot *slot, const BiVisitor *but);

/* Returns the number of visits that the slot has, or has asked for. */
extern int	bi_shmem_count_visits(const BiVisitSlot *slot);

/* True if somebody holds the database.  A process that is gone holds nothing. */
extern bool bi_shmem_is_held(BiVisitSlot *slot);

/* Counts one more failure of the slot's visits, and delays the next one. */
extern void bi_shmem_back_off(BiVisitSlot *slot);

/* True if the visit cannot be counted on: it is busy with one thing for long, as code of an owner
 * may be.  Without the lock it may answer late. */
extern bool bi_shmem_is_stuck(const BiVisitor *visitor, TimestampTz now);

#endif							/* BI_SHMEM_H */
