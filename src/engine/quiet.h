/*
 * engine/quiet.h: polls of open chunks that write nothing while nothing changes.
 */
#ifndef BI_QUIET_H
#define BI_QUIET_H

#include "engine/claim.h"
#include "engine/host.h"

/* The quiet polls of one loop.  A reset of the context it was made in frees it. */
typedef struct BiQuiet BiQuiet;

/* What a loop makes quiet polls with.  Constant while it runs. */
typedef struct BiQuietWish
{
	BiClaimer	claimer;
	TimestampTz *done_until;	/* polls that were due then were made: 0 if not known.  Read at the
								 * beginning, written at the end.  NULL: not known */
	const BiDriveHost *host;			/* NULL: a session, which polls */
} BiQuietWish;

/* Returns new quiet polls, which know no chunk yet. */
extern BiQuiet *bi_quiet_new(MemoryContext cxt, const BiQuietWish *wish);

/*
 * Makes steps of the polls that are due, as far as there is room beside steps, in a transaction of
 * its own if it must read something.  Returns the new steps (BiStep) in the current context.
 */
extern List *bi_quiet_look(BiQuiet *quiet, const List *steps);

/* Chunks may have become open: for looks of the loop, in their transaction. */
extern void bi_quiet_refresh(BiQuiet *quiet);

/* Drops the quiet poll of the chunk from the steps: what it would find is old, because another step
 * has the chunk now. */
extern void bi_quiet_drop(const List *steps, int64 chunk_id);

/* A step is over.  True if it has written nothing, so that nothing else has become due. */
extern bool bi_quiet_take_back(BiQuiet *quiet, const BiStep *step);

/* Returns when the next poll is due; DT_NOEND if none is. */
extern TimestampTz bi_quiet_due(const BiQuiet *quiet);

/* The same for polls of other owners than that one. */
extern TimestampTz bi_quiet_due_of_others(const BiQuiet *quiet, Oid owner);

/* Returns when bi_quiet_look has something to do: then, or somewhat later. */
extern TimestampTz bi_quiet_next(const BiQuiet *quiet);

/* The loop ends: reports how far the polls have come. */
extern void bi_quiet_leave(const BiQuiet *quiet);

#endif							/* BI_QUIET_H */
