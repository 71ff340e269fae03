/*
 * store/copy.h: records that copy the answers of others.
 *
 * A copy is a record that is not sent.  Its answer is that of its source: another record with the
 * same request.  A repeat has its source in its own job; a cached record has it in an earlier job
 * of the same owner.  Copies are in chunks of their own (BiChunk.copies).
 */
#ifndef BI_COPY_H
#define BI_COPY_H

#include "postgres.h"

#include "store/chunk.h"
#include "store/result.h"

/* What is left in a chunk of copies. */
typedef enum BiCopyLeft
{
	BI_COPY_LEFT_NOTHING,
	BI_COPY_LEFT_WAITING,		/* repeats, whose sources have no final results yet */
	BI_COPY_LEFT_LOST			/* copies that have lost their sources */
} BiCopyLeft;

/* All of this needs SPI and a transaction. */

/* True if the tables have what this needs: false until ALTER EXTENSION UPDATE. */
extern bool bi_copy_exists(void);

/* True if the next sources of the chunk have no final results yet, for certain. */
extern bool bi_copy_must_wait(const BiChunk *chunk);

/*
 * Reads the next answers of the chunk after seq, in its order, into results, in cxt: of copies that
 * have none yet and whose sources have final ones.  At most limit of them, and until their texts
 * have max_bytes.  Returns how many.  Their tokens are unknown: the source has them.
 */
extern int	bi_copy_read(MemoryContext cxt, const BiChunk *chunk, int64 after_seq, int limit,
						 int64 max_bytes, BiResult *results);

/* Tells what is left in a chunk whose answers were read and applied.  Sets chunk->source_chunk to
 * the one that it waits for. */
extern BiCopyLeft bi_copy_left(BiChunk *chunk);

/* Writes down chunk->source_chunk. */
extern void bi_copy_wait(const BiChunk *chunk);

/* Moves the copies that have lost their sources to a new chunk, which is sent.  Of repeats that had
 * one source together, one is sent, and is the source of the others. */
extern void bi_copy_send(const BiChunk *chunk);

#endif							/* BI_COPY_H */
