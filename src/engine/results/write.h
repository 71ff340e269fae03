/*
 * engine/results/write.h: outputs of one group into the job's target rows.
 */
#ifndef BI_WRITE_H
#define BI_WRITE_H

#include "engine/results/writing.h"

/*
 * Writes the outputs of those results that have succeeded and are not delivered yet, as the job's
 * owner, and sets the write state of each.  Does nothing if the job has no target.
 *
 * A row that cannot be written gets a state that says so; the others are written.  If the slice
 * of time has been used up before all values are found, task->n says how many results, from the
 * first, are done; at least one is.  Runs in an open transaction with SPI, in the group's
 * context.  Raises a cancel of the statement only.
 */
extern void bi_write_results(BiWriteTask *task);

/* Finds the values of one output.  If it does not fit, or that takes too much, its outcome or, for
 * a repeated write, its write state and error say so. */
extern void bi_write_find(const BiWriting *writing, BiResult *result);

#endif							/* BI_WRITE_H */
