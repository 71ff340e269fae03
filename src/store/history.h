/*
 * store/history.h: the table batchinf.history: what batches have brought.
 */
#ifndef BI_HISTORY_H
#define BI_HISTORY_H

#include "store/chunk.h"

/* All of this needs SPI and a transaction. */

/* True if the tables have what this needs: false until ALTER EXTENSION UPDATE. */
extern bool bi_history_exists(void);

/*
 * Adds the row of the chunk's batch, whose attempt ends: each of its records has its result, and
 * is still the chunk's.  Removes old rows of the same prompt and the same model.  Does nothing if
 * no batch was made.
 */
extern void bi_history_add(const BiChunk *chunk);

#endif							/* BI_HISTORY_H */
