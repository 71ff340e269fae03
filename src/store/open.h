/*
 * store/open.h: chunks whose batch is open at the provider and waits for nothing here.
 */
#ifndef BI_OPEN_H
#define BI_OPEN_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "store/chunk.h"

/*
 * A chunk is open while its state is submitted or running and it has no reason to wait.  Nothing of
 * it is written while that is so; its next_step_at is the time of its first poll.
 *
 * bi_open_new makes these; they live for one look of the loop.
 */
typedef struct BiOpen
{
	int64		id;
	Oid			owner;			/* of its job */
	Oid			server;
	TimestampTz base;			/* next_step_at: changes with each write of the chunk */
} BiOpen;

/* An open chunk as it is now.  bi_open_read makes these, for one look of the loop. */
typedef struct BiOpenNow
{
	BiDue		due;
	TimestampTz paused_until;	/* no calls before, for this owner and server; 0: no pause */
	bool		held;			/* a living process works on it */
} BiOpenNow;

/* All of this needs SPI and a transaction.  Results live in cxt. */

/* Returns the open chunks of this database (BiOpen) with base in (since, until], the first one
 * first. */
extern List *bi_open_new(MemoryContext cxt, TimestampTz since, TimestampTz until);

/* Returns the smallest base after that time; DT_NOEND: there is none. */
extern TimestampTz bi_open_next(TimestampTz after);

/* Reads those of n chunks (BiOpenNow) that are open and whose owner wants nothing else now. */
extern List *bi_open_read(MemoryContext cxt, const int64 *ids, int n);

/*
 * Makes this process hold a chunk that is in state from and was read with that base.  Raises an
 * error of class 40 if anybody has written it since, or if a living process holds it.
 */
extern void bi_open_claim(const BiChunk *chunk, BiChunkState from, TimestampTz base);

#endif							/* BI_OPEN_H */
