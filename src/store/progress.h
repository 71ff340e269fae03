/*
 * store/progress.h: how far a job is, and what it waits for.
 */
#ifndef BI_PROGRESS_H
#define BI_PROGRESS_H

#include "postgres.h"

#include "store/wait.h"

/* Texts are in the memory context that bi_progress_read was given. */
typedef struct BiProgress
{
	char	   *state;			/* as in batch_jobs */
	int64		records;
	int64		pending;
	int64		succeeded;
	char	   *error;			/* of a job that has ended; NULL: none */
	BiWait		wait;			/* as in batch_jobs */
	char	   *cost;			/* so far, in US dollars; NULL: not known */
} BiProgress;

/* Reads the progress of a job.  False if there is no such job.  Needs SPI and a transaction; the
 * caller has called bi_job_require. */
extern bool bi_progress_read(MemoryContext cxt, int64 job_id, BiProgress *progress);

#endif							/* BI_PROGRESS_H */
