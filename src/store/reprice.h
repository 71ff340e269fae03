/*
 * store/reprice.h: answers get prices that were set later.
 */
#ifndef BI_REPRICE_H
#define BI_REPRICE_H

#include "postgres.h"

/*
 * Finds the prices of a job's answers that have none: those of their time, else those of now.  Sums
 * and ledger follow.  Returns how many have got one; sets *left to how many are unpriced still.
 * Needs SPI and a transaction; the chunks of the job are locked until its end.
 */
extern int64 bi_reprice_job(int64 job_id, int64 *left);

#endif							/* BI_REPRICE_H */
