/*
 * engine/batch/create.h: the call that makes a batch, and that costs money.
 */
#ifndef BI_CREATE_H
#define BI_CREATE_H

#include "engine/step.h"

/* A reference of the batch: since when its create call is lost, in Unix seconds. */
#define BI_CREATE_LOST_SINCE "lost_since"

/* In the claim's transaction: writes the intent, so that it is durable before the paid call
 * (promise 1).  The step goes on with the call. */
extern void bi_create_claim(BiStep *step);

/*
 * Saves the batch as the chunk's: submitted.  event says how its id became known.  Also for a
 * batch that was found again.
 */
extern void bi_create_submitted(BiStep *step, const BiStepExchange *exchange,
								const char *batch_id, const char *event);

#endif							/* BI_CREATE_H */
