/*
 * engine/results/deliver.h: results files become outcomes and written rows.
 */
#ifndef BI_DELIVER_H
#define BI_DELIVER_H

#include "engine/step.h"

/*
 * Applies the results files (a list of BiSpool, in the step's context) group by group as work of
 * the step, then settles the attempt and saves the chunk as cleaning.  is_partial: the
 * download was ended because the job is over; records without a line end as the owner wished.
 * Raises an error if the bounds of the chunk's records cannot be read.
 */
extern void bi_deliver_start(BiStep *step, List *spools, bool is_partial);

/* Delivers the answers that a chunk of copies can have by now, and settles it (copies.h).  Work of
 * a step whose claim was for that. */
extern void bi_deliver_copies(BiStep *step);

/* Repeats waiting writes of the step's chunk, then releases it.  Work of a step whose claim was
 * for waiting writes. */
extern void bi_deliver_rewrite(BiStep *step);

/* True if the step's next piece of work may run code of the job's owner, or check what costs as
 * much as their schema asks: then step->share must be set. */
extern bool bi_deliver_runs_code(const BiStep *step);

/* Returns how many results another process would have to deliver if it went on with the step now; 0
 * if none can go on, or if the chunk was left too often. */
extern int64 bi_deliver_left(const BiStep *step);

/* Returns since when its results are being delivered. */
extern TimestampTz bi_deliver_since(const BiStep *step);

/* Ends the claim of such a step with its next piece of work.  The chunk is due at once, and what is
 * in the tables stays. */
extern void bi_deliver_leave(BiStep *step);

#endif							/* BI_DELIVER_H */
