/*
 * worker/wake.h: what a session tells the workers when its transaction ends.
 */
#ifndef BI_WAKE_H
#define BI_WAKE_H

#include "postgres.h"

/* At commit of the running transaction a worker looks at this database.  May ereport;
 * the transaction cannot be prepared from here on. */
extern void bi_wake_at_commit(void);

/*
 * Will a worker do it?  Where false, *why is the reason.  Where true, *why is NULL or
 * what one should know of it.  A sentence for errdetail, in the current context.
 */
extern bool bi_wake_possible(char **why);

/* At the end of the running transaction, whatever it is, this backend holds no database
 * any longer (bi_slot_hold). */
extern void bi_wake_release_at_end(void);

#endif							/* BI_WAKE_H */
