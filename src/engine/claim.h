/*
 * engine/claim.h: a chunk that is due becomes a step.
 */
#ifndef BI_CLAIM_H
#define BI_CLAIM_H

#include "engine/step.h"

/* Claims a chunk that is due, in the claim's transaction; the step lives in cxt.  It may
 * be over already: nothing to do beyond what has been recorded here. */
extern BiStep *bi_claim_step(MemoryContext cxt, BiXactMode mode, BiHttp *http, const BiDue *due);

/* The chunk could not be claimed for that reason: it waits with it. */
extern void bi_claim_refuse(const BiDue *due, const char *reason);

#endif							/* BI_CLAIM_H */
