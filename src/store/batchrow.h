/*
 * store/batchrow.h: the rows of batchinf.batch: the tries of a chunk.
 */
#ifndef BI_BATCHROW_H
#define BI_BATCHROW_H

#include "store/batch.h"

/* All of this needs SPI and a transaction. */

/* What a SELECT with a chunk "c" and its try "b" reads, and bi_batchrow_read takes. */
#define BI_BATCHROW_COLUMNS \
	"c.tries, b.batch_id, b.batch_end, b.account, b.claimed_at, b.submitted_at," \
	" ARRAY(SELECT unnest(ARRAY[r.key, r.value]) FROM jsonb_each_text(b.refs) r" \
	"  WHERE r.value IS NOT NULL)," \
	" (SELECT COALESCE(max(o.try), 0) FROM batchinf.batch o WHERE o.chunk_id = c.chunk_id)," \
	" ARRAY(SELECT o.batch_id FROM batchinf.batch o WHERE o.chunk_id = c.chunk_id" \
	"  AND o.try <> c.tries AND o.batch_id IS NOT NULL ORDER BY o.try)"
#define BI_BATCHROW_NCOLUMNS 9
#define BI_BATCHROW_JOIN \
	" LEFT JOIN batchinf.batch b ON b.chunk_id = c.chunk_id AND b.try = c.tries"

/* Reads BI_BATCHROW_COLUMNS of a row of the last statement, from column first on, into the current
 * context. */
extern BiBatch *bi_batchrow_read(int64 row, int first);

/*
 * Writes the current try of a chunk, if one has begun, and new twins.  The caller holds the chunk.
 */
extern void bi_batchrow_save(int64 chunk_id, const BiBatch *batch);

/* True if any chunk has, or had, the batch with that id. */
extern bool bi_batchrow_is_known(const char *id);

#endif							/* BI_BATCHROW_H */
