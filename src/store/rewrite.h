/*
 * store/rewrite.h: writes kept outputs to their target rows again.
 */
#ifndef BI_REWRITE_H
#define BI_REWRITE_H

#include "store/job.h"

/*
 * Makes the writes of a job that ended in these states (text[]) wait to be repeated, and opens the
 * job again.  Returns how many.  Those of chunks whose delivery goes on are left as they are.
 * Writes that wait already, and chunks that wait for the target, are due at once.  Needs SPI and
 * a transaction.
 */
extern int64 bi_rewrite_begin(const BiJob *job, Datum write_states);

/* The same for single records, whose answers were not written because their rows had changed or
 * were not there: n pairs of a job and a number in it (int8).  The jobs have ended. */
extern void bi_rewrite_records(Datum *jobs, Datum *seqs, int n);

#endif							/* BI_REWRITE_H */
