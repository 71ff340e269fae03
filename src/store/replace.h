/*
 * store/replace.h: answers that replace the rows of a value together.
 *
 * The records of one value have the same record.value.  Their results are "incomplete" until all of
 * them have succeeded, then "waiting" until they are written.
 */
#ifndef BI_REPLACE_H
#define BI_REPLACE_H

#include "postgres.h"

#include "store/chunk.h"
#include "store/result.h"
#include "utils/uuid.h"

/* Values that are written together: the same value is never in two lists of one moment. */
typedef struct BiReplaced
{
	int64		job_id;
	int			nvalues;
	pg_uuid_t  *values;
	int64		results;		/* of all of them together */
	int64	   *counts;			/* of each */
} BiReplaced;

/* All of this needs SPI and a transaction. */

/*
 * Of the values of the chunk's incomplete results that come after *last, looks at some, in their
 * order: those whose records have all succeeded are waiting from now on, whatever chunk each is of.
 * Sets *last to the last one that was looked at.  False if there is none after it.
 */
extern bool bi_replace_mark(const BiChunk *chunk, pg_uuid_t *last);

/* Returns values of waiting results of the chunk, palloc'd: some with few results together, or one
 * with any number; none if no result waits. */
extern BiReplaced *bi_replace_choose(const BiChunk *chunk);

/* Reads and locks the waiting results of these values after that number, in order, at most limit
 * and outputs of a few megabytes, in cxt.  Returns how many.  Those that another process has locked
 * are left out. */
extern int	bi_replace_read(MemoryContext cxt, const BiReplaced *replaced, int64 after_seq,
						   BiResult *results, int limit);

/* Records how the writes of all waiting results of these values went. */
extern void bi_replace_record(const BiReplaced *replaced, BiWriteState state, const char *error);

#endif							/* BI_REPLACE_H */
