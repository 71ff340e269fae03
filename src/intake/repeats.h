/*
 * intake/repeats.h: which rows of a query need not be sent, because the answer to another one is
 * theirs.
 *
 * For all callers of bi_intake_run: the rows that the planner gets are marked (BiDraft.copies).
 */
#ifndef BI_REPEATS_H
#define BI_REPEATS_H

#include "postgres.h"

#include "intake/planner.h"
#include "store/cache.h"

/* The rows of one query, while it is not known which of them are copies. */
typedef struct BiRepeats BiRepeats;

/* Returns an empty one, in the current context.  dedup: of rows with the same input one is
 * sent. */
extern BiRepeats *bi_repeats_new(bool dedup);

/* Takes the next row. */
extern void bi_repeats_add(BiRepeats *repeats, const BiDraft *row);

/*
 * Once all rows are there: finds copies.  cache: answers that can be given again, or NULL.
 * min_sent: if anything is sent, so many rows are, if there are as many, because a batch needs
 * them.  With a cache SPI must be connected.
 */
extern void bi_repeats_find(BiRepeats *repeats, BiCache *cache, int64 min_sent);

/* Then: sets *row to the next row, in the order in which they were added, with the mark of a copy.
 * False after the last one. */
extern bool bi_repeats_next(BiRepeats *repeats, BiDraft *row);

extern void bi_repeats_free(BiRepeats *repeats);

#endif							/* BI_REPEATS_H */
