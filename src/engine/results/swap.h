/*
 * engine/results/swap.h: the rows of a value are replaced, once all of its answers are there.
 */
#ifndef BI_SWAP_H
#define BI_SWAP_H

#include "engine/results/workspace.h"
#include "engine/step.h"
#include "store/result.h"
#include "utils/uuid.h"

/* Of a job that replaces rows: finds some of the chunk's values that are complete, after *last, in
 * a transaction: their writes are due.  False if all have been looked at. */
extern bool bi_swap_mark(BiStep *step, pg_uuid_t *last);

/* In a transaction of a repeated write of the step's chunk: writes some of the values that wait.
 * True if some are settled.  results has space for BI_WORKSPACE_GROUP of them. */
extern bool bi_swap_write(BiStep *step, BiWorkspace *space, BiResult *results);

#endif							/* BI_SWAP_H */
