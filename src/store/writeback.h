/*
 * store/writeback.h: puts outputs into target rows, as the job's owner.
 */
#ifndef BI_WRITEBACK_H
#define BI_WRITEBACK_H

#include "postgres.h"

#include "store/job.h"
#include "store/result.h"

typedef struct BiWriteback BiWriteback;

/* Looks the target up, in the current context; ereports why it cannot be written.  Call it in
 * the transaction of the writes: until its end the locks taken keep the tables' owners. */
extern BiWriteback *bi_writeback_open(const BiJob *job);

typedef enum BiFit
{
	BI_FITS,
	BI_NOT_JSON,				/* the output is no JSON, which a column needs */
	BI_TOO_COSTLY				/* a path, or the output as JSON, costs too much */
} BiFit;

/* Is there anything to be found in the output before it is written?  If not, leave out
 * bi_writeback_find. */
extern bool bi_writeback_must_find(const BiWriteback *wb, const BiResult *result);

/*
 * Applies the columns' paths to the output: result->values, in cxt.  If the output does not fit
 * *why says so, in cxt too.  Leaves much in the current context.  Needs a transaction, and may
 * ereport for an output that only PostgreSQL's own JSON types refuse.  What it costs has no
 * bound that can be counted: run it within a budget.  Interruptible, but for making a jsonb.
 */
extern BiFit bi_writeback_find(const BiWriteback *wb, MemoryContext cxt, BiResult *result, char **why);

/*
 * Writes the rows of results[0..n), whose values have been found, in one statement as the job's owner, and sets their
 * write_state to written, target_missing or, where the table kept a row as it was, write_failed.
 * Any row that fails makes it ereport: call
 * it in a subtransaction.  A lock is waited for no longer than lock_ms.  Nothing of the
 * owner's is left to run at commit.
 */
extern void bi_writeback_update(const BiWriteback *wb, BiResult *const *results, int n, int lock_ms);

#endif							/* BI_WRITEBACK_H */
