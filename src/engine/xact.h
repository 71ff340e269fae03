/*
 * engine/xact.h: the one seam of transaction control, for a worker and for a procedure.
 */
#ifndef BI_XACT_H
#define BI_XACT_H

#include "postgres.h"

/* Who runs the engine. */
typedef enum BiXactMode
{
	BI_XACT_WORKER,				/* a background worker: no transaction is open between phases */
	BI_XACT_PROCEDURE			/* CALL batch_work: SPI is connected non-atomically; between phases
								 * only a virtual transaction id is held */
} BiXactMode;

/* What is done in a transaction.  Its memory is gone afterwards, unless it chose a context. */
typedef void (*BiPhase) (void *arg);

/*
 * Runs phase(arg) in a transaction of its own, with SPI connected and a snapshot pushed, and
 * commits it.  Returns NULL when it has committed.  An error rolls all of it back and is returned,
 * palloc'd in the caller's context.  A cancel of the session is raised instead, with nothing left
 * open.
 */
extern ErrorData *bi_xact_run(BiXactMode mode, BiPhase phase, void *arg);

/* The same for a caller that is about to leave: a cancel is returned, too. */
extern ErrorData *bi_xact_finish(BiXactMode mode, BiPhase phase, void *arg);

/* Runs phase(arg) in a subtransaction of the open transaction.  Returns and raises as
 * bi_xact_run. */
extern ErrorData *bi_xact_try(BiPhase phase, void *arg);

/* True if the error is a cancel of this session, and not an error of user code with that code. */
extern bool bi_xact_is_cancel(const ErrorData *error);

/* True if another session caused the error: the same may succeed a moment later. */
extern bool bi_xact_is_for_now(const ErrorData *error);

/*
 * Runs wait(arg), which may be interrupted but reads and writes no table.  Outside of transactions;
 * an error leaves nothing open and is raised again.
 */
extern void bi_xact_wait(BiXactMode mode, BiPhase wait, void *arg);

#endif							/* BI_XACT_H */
