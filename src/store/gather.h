/*
 * store/gather.h: chunks of records that are sent again, together too few for a batch.
 */
#ifndef BI_GATHER_H
#define BI_GATHER_H

#include "store/chunk.h"

/* All of this needs SPI, a transaction and the lock of claims. */

/* Takes over the records of other chunks of the job that wait to be sent again and are smaller than
 * few, one chunk after the other, as long as the limits allow. */
extern void bi_gather_small(BiChunk *chunk, int64 few, int64 max_records, int64 max_bytes);

/* True if another chunk of the job may still leave records to be sent again. */
extern bool bi_gather_more(const BiChunk *chunk, int64 few);

#endif							/* BI_GATHER_H */
