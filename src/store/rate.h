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

/* So many answers tell something of a job. */
#define BI_RATE_ENOUGH 50

/*
 * In the transaction that stores results of chunk, after them: pauses the job where more failed
 * than it allows, and something of it is not sent yet; else wakes those chunks that have waited
 * for these answers.  Waits for nobody: where somebody has the job's row locked, bi_rate_hold
 * sees to it.
 */
extern void bi_rate_judge(const BiJob *job, const BiChunk *chunk);

/*
 * At the claim of a chunk that is planned or uploaded: NULL if it may be sent, else why not, in
 * the current context.  It may not where more failed than the job allows (pauses it), and where
 * fewer than BI_RATE_ENOUGH answers are known and another batch of the job is to bring some.
 */
extern char *bi_rate_hold(const BiJob *job, const BiChunk *chunk);

/* Begins the count again from here, and forgets why the job was paused if it is so no longer. */
extern void bi_rate_restart(int64 job_id);

#endif							/* BI_RATE_H */
