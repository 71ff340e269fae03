/*
 * worker/shmem.h: the memory that launcher, visits and sessions share.  Only slot.c
 * reads and writes it.
 */
#ifndef BI_SHMEM_H
#define BI_SHMEM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

/* So many databases can have work at the same time. */
#define BI_SHMEM_SLOTS 1024

typedef struct BiVisitSlot
{
	Oid			database;		/* InvalidOid: the slot is free */
	TimestampTz due;			/* DT_NOEND: nothing is */
	TimestampTz visited;		/* when a visit was last started; 0: never */
	pid_t		pid;			/* of the visit there, 0: none */
	pid_t		holder;			/* who keeps visits away, 0: nobody */
	int			failures;		/* in a row */
	bool		starting;		/* a visit was asked for and has not come yet */
	bool		woken;			/* since its visit last asked */
	bool		dropping;		/* its holder drops the database */
} BiVisitSlot;

typedef struct BiShared
{
	LWLock	   *lock;			/* over all that follows */
	pid_t		launcher;		/* 0: none runs */
	TimestampTz not_before;		/* no visit starts before that */
	BiVisitSlot slot[BI_SHMEM_SLOTS];
} BiShared;

/* In _PG_init while preloading: asks for the memory and its lock. */
extern void bi_shmem_register(void);

/* NULL where the library was not preloaded. */
extern BiShared *bi_shmem_get(void);
extern BiShared *bi_shmem_lock(LWLockMode mode);
extern void bi_shmem_unlock(BiShared *memory);

/* With the lock held: the slot of that database; NULL: it has none.  With add: or a new
 * one in which nothing is due; NULL: all are taken. */
extern BiVisitSlot *bi_shmem_slot(BiShared *memory, Oid database, bool add);

#endif							/* BI_SHMEM_H */
