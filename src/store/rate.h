/*
 * store/rate.h: how large a share of a job's answers failed, and what follows (max_failure_rate).
 *
 * An answer is an attempt of a record that ended as anything but cancelled or skipped.  It failed
 * if it is no success, or could not be written.  All of it needs SPI and a transaction, and does
 * nothing for a job without max_failure_rate.
 */
#ifndef BI_RATE_H
#define BI_RATE_H

#include "store/chunk.h"
#include "store/job.h"

/* With fewer answers nothing is decided. */
#define BI_RATE_ENOUGH 50

/*
 * Pauses the job if more answers failed than it allows and part of it is not sent yet; otherwise
 * wakes the chunks that waited for these answers.  Must be called after the results of chunk are
 * stored, in the same transaction.  If another transaction has locked the job's row, it does
 * nothing: bi_rate_hold decides later.
 */
extern void bi_rate_judge(const BiJob *job, const BiChunk *chunk);

/*
 * Returns NULL if a chunk that is planned or uploaded may be sent; otherwise why not, in the
 * current context.  It may not if more answers failed than the job allows (then pauses the job),
 * and if fewer than BI_RATE_ENOUGH answers are known and another batch of the job will bring some.
 */
extern char *bi_rate_hold(const BiJob *job, const BiChunk *chunk);

/* Begins the count again, and forgets why the job was paused if it is not paused any more. */
extern void bi_rate_restart(int64 job_id);

#endif							/* BI_RATE_H */
