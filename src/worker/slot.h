/*
 * worker/slot.h: which database is due, visited or held.
 *
 * A database has a slot while one of these is true, and for a moment afterwards.  Other databases
 * need none.  A process *holds* a database if it keeps visits away from it, because its statement
 * needs the database to itself.
 *
 * If the library was not preloaded there are no slots.  Then bi_slot_present returns false, and all
 * other functions do nothing and return false or 0.
 *
 * No function here raises an error or needs a transaction.
 */
#ifndef BI_SLOT_H
#define BI_SLOT_H

#include "postgres.h"

#include "base/guc.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "worker/shmem.h"

/* True if the library was preloaded, so that there are slots. */
extern bool bi_slot_present(void);

/* This process is the launcher from here on, or no longer. */
extern void bi_slot_open(void);
extern void bi_slot_close(void);

/* True if a launcher runs. */
extern bool bi_slot_launcher_runs(void);

/* Makes the database due now; one that backs off keeps its time.  False if no slot is free. */
extern bool bi_slot_add(Oid database);

/* Frees the slots of databases that are not in the list of oids. */
extern void bi_slot_keep_only(const List *databases);

/* How many visits there may be. */
typedef struct BiVisitLimits
{
	int			all;
	int			of_database;
} BiVisitLimits;

/*
 * Returns the seat of the visit that is to be started now (a number below the number of slots times
 * that of visits in each), and its database.  First come databases that are due and have no visit:
 * the one that was visited longest ago.  Then a database may get a further visit: where those that
 * it has are crowded, or busy for long while something else is due.  The visit counts as under way
 * from here on.  Returns -1 if no visit is wanted, or if there are as many as there may be.  *next
 * is when to ask again; DT_NOEND: when somebody wakes the launcher.
 */
extern int	bi_slot_pick(const BiVisitLimits *limits, TimestampTz now, Oid *database,
						 TimestampTz *next);

/* The visit of that seat did not come.  failed: it ended before it came to the seat, so its
 * database backs off.  Otherwise it was not started, and the database stays due. */
extern void bi_slot_not_started(int seat, bool failed);

/* Makes the database due now, and wakes its visits, or the launcher.  For any session. */
extern void bi_slot_wake(Oid database);

/*
 * This process holds the database until it releases it or dies: no visit starts there.  The visits
 * that are there are asked to leave.  Returns their number, and their pids in visits.
 * dropping: free the slot if bi_slot_release says that the transaction committed.
 */
extern int	bi_slot_hold(Oid database, bool dropping, pid_t visits[BI_SHMEM_VISITS]);

/* Terminates the visits of the database. */
extern void bi_slot_terminate(Oid database);

/* This process holds no database any more. */
extern void bi_slot_release(bool committed);

#endif							/* BI_SLOT_H */
