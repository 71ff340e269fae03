/*
 * store/wait.h: why a chunk or a job waits: a kind for programs, and words for people.
 *
 * Nothing decides by the words.  No SQL.
 */
#ifndef BI_WAIT_H
#define BI_WAIT_H

#include "postgres.h"

/* The words of these in SQL are listed in wait.c. */
typedef enum BiWaitKind
{
	BI_WAIT_NONE,				/* it does not wait */

	/* of a chunk, as its step ended */
	BI_WAIT_TIME,				/* start_after or submit_window: its time has not come */
	BI_WAIT_SOURCE,				/* copies: the records that they copy have no answers yet */
	BI_WAIT_ROOM,				/* the server's limits are reached, or other chunks come first */
	BI_WAIT_COMPANY,			/* it is too small for a batch, and others of its job may join it */
	/* max_failure_rate: more answers must be known, or the job pauses */
	BI_WAIT_FAILURE_RATE,
	BI_WAIT_TARGET,				/* the job's target cannot be written */
	BI_WAIT_OWNER,				/* the job's owner does not exist */
	BI_WAIT_KEY,				/* key, user mapping or USAGE is missing, or the key is refused */
	BI_WAIT_THROTTLED,			/* the provider takes no more for now: rate limit, quota */
	BI_WAIT_SERVER,				/* the server was dropped, fails, or its reply is not understood */
	BI_WAIT_NOT_READY,			/* the provider does not have it yet */
	BI_WAIT_SETTLE,				/* a lost create call may still have its effect */
	BI_WAIT_AMBIGUOUS,			/* nothing proves whether there is a batch */
	BI_WAIT_TOO_LARGE,			/* the results are larger than batchinf.max_result_size */
	BI_WAIT_ERROR,				/* an error here: a full disk, a lock, a fault of ours */
	BI_WAIT_BUDGET,				/* a budget, or the job's max_cost, leaves too little now */

	/* of a job as a whole: the view batchinf.job_wait only */
	BI_WAIT_FOREIGN,			/* it belongs to another installation */
	BI_WAIT_PAUSED,				/* batch_pause, or max_failure_rate */
	BI_WAIT_SERVER_PAUSED,		/* batch_pause_server */
	BI_WAIT_NO_WORKER,			/* nobody works in this database */
	BI_WAIT_WRITE				/* answers cannot be written now */
} BiWaitKind;

/* Why something waits.  A variable of the function that fills it.  It does not own words, which
 * must live as long as it. */
typedef struct BiWait
{
	BiWaitKind	kind;
	const char *words;			/* one line; NULL if kind is BI_WAIT_NONE */
} BiWait;

/* Returns the word of SQL, a constant; NULL for BI_WAIT_NONE. */
extern const char *bi_wait_name(BiWaitKind kind);

/* Returns the kind with that word; BI_WAIT_NONE for NULL and for a word that is unknown. */
extern BiWaitKind bi_wait_parse(const char *name);

#endif							/* BI_WAIT_H */
