/*
 * base/sorting.h: items of a fixed size, sorted by their bytes.
 */
#ifndef BI_SORTING_H
#define BI_SORTING_H

#include "postgres.h"

/*
 * A sort, which goes to disk beyond work_mem.  Lives in the context that is current at
 * bi_sorting_begin, until bi_sorting_end.  Items are added, then sorted, then read: in this order.
 */
typedef struct BiSorting BiSorting;

/* Begins a sort of items of that size.  Their order is that of memcmp, so padding must be 0.
 * again: they are to be read several times. */
extern BiSorting *bi_sorting_begin(size_t size, bool again);

/* Adds a copy of the item. */
extern void bi_sorting_add(BiSorting *sorting, const void *item);

/* Sorts the items that were added. */
extern void bi_sorting_sort(BiSorting *sorting);

/* Reads the next item.  False after the last one; then the item is all zero.  Looks for
 * interrupts. */
extern bool bi_sorting_next(BiSorting *sorting, void *item);

/* Begins with the first item again, of a sort that was begun so. */
extern void bi_sorting_rewind(BiSorting *sorting);

extern void bi_sorting_end(BiSorting *sorting);

#endif							/* BI_SORTING_H */
