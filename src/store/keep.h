/*
 * store/keep.h: how long the texts of an ended job stay, and their removal.
 */
#ifndef BI_KEEP_H
#define BI_KEEP_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* What is removed at a time of its own. */
typedef enum BiKept
{
	BI_KEPT_INPUTS,
	BI_KEPT_RESULTS
} BiKept;

/* What bi_keep_remove has done. */
typedef enum BiKeepDone
{
	BI_KEEP_REMOVED,			/* a piece is removed; there may be more */
	BI_KEEP_BUSY,				/* other transactions have locked all jobs that are due */
	BI_KEEP_NOTHING				/* nothing is due */
} BiKeepDone;

/* The functions below need SPI and a transaction. */

/* The time for which the texts of an ended job stay begins now.  Does nothing for an open one. */
extern void bi_keep_begin(int64 job_id);

/* An ended job goes on: its texts stay until its next end.  The caller has locked the job. */
extern void bi_keep_end(int64 job_id);

/* Raises an error if those texts of the job are removed, or begin to be.  what is a verb for the
 * message ("retry").  The caller has locked the job. */
extern void bi_keep_require(int64 job_id, BiKept kept, const char *what);

/* Returns when texts of the next job are to be removed; DT_NOEND: not before another job ends. */
extern TimestampTz bi_keep_next(void);

/*
 * Removes a piece of the texts that are due, of one job: so many that it takes a fraction of a
 * second.  What it has done is kept in the job: after a crash the next call goes on.
 */
extern BiKeepDone bi_keep_remove(void);

#endif							/* BI_KEEP_H */
