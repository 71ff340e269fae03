/*
 * intake/purse.h: what a job is estimated at, and whether that may be spent.
 */
#ifndef BI_PURSE_H
#define BI_PURSE_H

#include "intake/planner.h"
#include "store/job.h"

/*
 * Sets the estimated cost of a job that is about to be stored, whose records are planned.  Raises
 * an error if its max_cost, or a budget that refuses, leaves less, and reports budgets that wait or
 * warn.  Reads what others have committed, and locks nothing.  Needs SPI.
 */
extern void bi_purse_check(BiJob *job, const BiPlanned *planned);

/* Returns what bi_purse_check would raise or report: char *, a sentence for each limit. */
extern List *bi_purse_words(const BiJob *job, const BiPlanned *planned);

#endif							/* BI_PURSE_H */
