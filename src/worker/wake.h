/*
 * worker/wake.h: what a session reports to the workers when its transaction ends.
 */
#ifndef BI_WAKE_H
#define BI_WAKE_H

#include "postgres.h"

/* When the running transaction commits, wakes a worker to look at this database.  The transaction
 * cannot be prepared (PREPARE TRANSACTION) from here on.  May raise an error. */
extern void bi_wake_at_commit(void);

/*
 * True if a worker will do the work.  If false, *why is the reason.  If true, *why is NULL or what
 * the user should know about it.  It is a sentence for errdetail, in the current context.
 */
extern bool bi_wake_possible(char **why);

/* When the running transaction commits or aborts, releases the databases that this backend holds
 * (bi_slot_hold). */
extern void bi_wake_release_at_end(void);

#endif							/* BI_WAKE_H */
