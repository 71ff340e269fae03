/*
 * engine/settle.h: the money that was reserved for a chunk is free again.
 */
#ifndef BI_SETTLE_H
#define BI_SETTLE_H

#include "store/chunk.h"
#include "store/job.h"

/*
 * In the transaction that has saved the chunk, which was in the state from before.  If its
 * reservation has ended by that, adds an event for each limit that was passed, and makes chunks due
 * that wait for money.  Else does nothing.
 */
extern void bi_settle(const BiJob *job, const BiChunk *chunk, BiChunkState from);

#endif							/* BI_SETTLE_H */
