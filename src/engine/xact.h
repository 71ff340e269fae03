/*
 * engine/xact.h: the one seam of transaction control, for a worker and for a
 * procedure.
 */
#ifndef BI_XACT_H
#define BI_XACT_H

#include "postgres.h"

typedef enum BiXactMode
{
	BI_XACT_WORKER,				/* no transaction is open between phases */
	BI_XACT_PROCEDURE			/* SPI is connected non-atomically; only a virtual xid between phases */
} BiXactMode;

typedef void (*BiPhase) (void *arg);

/*
 * Runs phase(arg) in a transaction of its own, with SPI connected and a snapshot
 * pushed, and commits it.  An error rolls all of it back and is returned, palloc'd in
 * the caller's context; NULL when it committed.  A cancel is not returned but thrown
 * on, with nothing left open.  What phase allocates is gone afterwards unless it chose
 * a context.
 */
extern ErrorData *bi_xact_run(BiXactMode mode, BiPhase phase, void *arg);

/* The same for whoever is about to leave: a cancel too is returned. */
extern ErrorData *bi_xact_finish(BiXactMode mode, BiPhase phase, void *arg);

/* Runs phase(arg) inside the open transaction, in a subtransaction; as above. */
extern ErrorData *bi_xact_try(BiPhase phase, void *arg);

/* Is it a cancel of this session, and not an error of user code with that code? */
extern bool bi_xact_is_cancel(const ErrorData *error);

/* Did another session cause it?  The same may succeed a moment later. */
extern bool bi_xact_is_for_now(const ErrorData *error);

/*
 * Runs wait(arg), which may be interrupted but touches no table, so that an error
 * leaves nothing open behind: it is thrown on.
 */
extern void bi_xact_wait(BiXactMode mode, BiPhase wait, void *arg);

#endif							/* BI_XACT_H */
