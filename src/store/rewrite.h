/*
 * store/rewrite.h: writes kept outputs to their target rows again.
 */
#ifndef BI_REWRITE_H
#define BI_REWRITE_H

#include "store/job.h"

/* Makes the writes of a job that ended in these states (text[]) wait to be repeated, and opens
 * the job again; how many.  Those of chunks that have not ended are left.  Writes that wait, and
 * chunks that wait for the target, are due at once.  Needs SPI and a transaction. */
extern int64 bi_rewrite_begin(const BiJob *job, Datum write_states);

#endif							/* BI_REWRITE_H */
