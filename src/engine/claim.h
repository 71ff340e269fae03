/*
 * engine/claim.h: a chunk that is due becomes a step.
 */
#ifndef BI_CLAIM_H
#define BI_CLAIM_H

#include "engine/step.h"

/* Who claims: a loop. */
typedef struct BiClaimer
{
	MemoryContext cxt;			/* of all its steps */
	BiXactMode	mode;
	BiHttp	   *http;
	BiFaults   *faults;			/* failures of this process in a row */
} BiClaimer;

/*
 * Claims a chunk that is due, in a subtransaction of the open transaction.  Returns its step, which
 * the caller frees.  The step may be over already, if there is nothing to do beyond what the claim
 * has written.  Returns NULL if the claim has failed: then the chunk waits with the reason, or
 * another process has changed it.
 *
 * A quiet poll (due->base) becomes a step that writes nothing, and claims the chunk when it has
 * something to save.
 */
extern BiStep *bi_claim_step(const BiClaimer *claimer, const BiDue *due);

/* Releases all claims of this process: its steps are left as after a crash.  If it cannot, it says
 * so in the log. */
extern void bi_claim_release(BiXactMode mode);

/* True if the server failed last time for this owner, and one of the steps asks it for them: it
 * gets one probe, not all chunks that are due. */
extern bool bi_claim_is_second_probe(const List *steps, const BiDue *due);

#endif							/* BI_CLAIM_H */
