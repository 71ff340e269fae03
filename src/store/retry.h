/*
 * store/retry.h: sends records of a job again, in new chunks.
 */
#ifndef BI_RETRY_H
#define BI_RETRY_H

#include "store/job.h"

/*
 * Gives the records whose last attempt ended with one of these outcomes (text[]) to new chunks, and
 * reopens the job if there are any.  Returns how many.  Needs SPI and a transaction; locks the job
 * until its end.
 */
extern int64 bi_retry_begin(const BiJob *job, Datum outcomes);

#endif							/* BI_RETRY_H */
