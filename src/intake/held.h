/*
 * intake/held.h: rows of a query that wait until all of them are known.
 */
#ifndef BI_HELD_H
#define BI_HELD_H

#include "postgres.h"

#include "intake/planner.h"

/* Rows in the order in which they were added.  They go to disk beyond work_mem. */
typedef struct BiHeld BiHeld;

/* Returns an empty one, in the current context. */
extern BiHeld *bi_held_new(void);

/* Adds a copy of the row. */
extern void bi_held_add(BiHeld *held, const BiDraft *row);

/* Goes to the next row, at first to the first one.  False after the last one. */
extern bool bi_held_go_on(BiHeld *held);

/* Reads the row that bi_held_go_on has found.  It is valid until the next one is read. */
extern void bi_held_read(BiHeld *held, BiDraft *row);

/* Drops all rows. */
extern void bi_held_clear(BiHeld *held);

/* True if there are rows. */
extern bool bi_held_has_any(const BiHeld *held);

extern void bi_held_free(BiHeld *held);

#endif							/* BI_HELD_H */
