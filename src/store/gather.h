/*
 * store/gather.h: chunks of records that are sent again, together too few for a batch.
 */
#ifndef BI_GATHER_H
#define BI_GATHER_H

#include "store/chunk.h"

/* All of this needs SPI, a transaction and the lock of claims. */

/* Takes over the records of other chunks of the job that wait to be sent again and have fewer
 * than few too, one after the other, while all stay within the bounds. */
extern void bi_gather_small(BiChunk *chunk, int64 few, int64 max_records, int64 max_bytes);

/* May another chunk of the job still leave records to be sent again? */
extern bool bi_gather_more(const BiChunk *chunk, int64 few);

#endif							/* BI_GATHER_H */
