/*
 * engine/removal.h: removes texts of ended jobs that are kept no longer.
 */
#ifndef BI_REMOVAL_H
#define BI_REMOVAL_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "engine/xact.h"

/* The removals of one loop.  Only the functions below write it. */
typedef struct BiRemoval
{
	TimestampTz next;			/* when a piece is to be removed; DT_NOEND: not before another job
								 * ends */
	TimestampTz asked_at;		/* when the tables were asked for it */
	TimestampTz not_before;		/* after a failure, and while others have locked what is due */
	TimestampTz removed_at;		/* the last piece, or the begin of the loop */
} BiRemoval;

/* Nothing is known yet. */
extern void bi_removal_init(BiRemoval *removal);

/* Reads when the next piece is due, in a phase.  is_idle: no work is under way; otherwise what was
 * read a moment ago will do. */
extern void bi_removal_look(BiRemoval *removal, bool is_idle);

/*
 * Removes one piece in a transaction of its own, if one is due.  busy: there is other work to do,
 * so that a piece is removed only once in a while.  Between transactions.  A failure is logged
 * once and tried again a minute later; raises a cancel only.
 */
extern void bi_removal_turn(BiRemoval *removal, BiXactMode mode, bool busy);

#endif							/* BI_REMOVAL_H */
