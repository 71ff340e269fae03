/*
 * engine/results/items.h: outputs that add rows to the target: one each, or one for each item.
 */
#ifndef BI_ITEMS_H
#define BI_ITEMS_H

#include "engine/results/writing.h"

/*
 * Writes the outputs writing->rows, whose values are found, and sets the write state of each.  An
 * output whose items are rows of their own has all items that can be written, or none if some of
 * them may be written later.  If time runs out, task->n becomes the number of results that are
 * done, at least one.
 */
extern void bi_items_write(BiWriting *writing);

/* Makes the rows of n outputs those of the next try. */
extern void bi_items_take_rows(BiWriting *writing, BiResult **outputs, int n);

/* Writes the rows, some at a time: a BiWriting's write. */
extern void bi_items_write_rows(BiWriting *writing);

#endif							/* BI_ITEMS_H */
