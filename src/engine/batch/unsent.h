/*
 * engine/batch/unsent.h: a planned chunk that is never sent ends.
 */
#ifndef BI_UNSENT_H
#define BI_UNSENT_H

#include "engine/step.h"

/*
 * Ends a planned chunk, in the claim's transaction.  Its records end as their last attempt did, or
 * as "errored" with this code and reason, which is an event, too.
 */
extern void bi_unsent_end(BiStep *step, const char *code, const char *reason);

#endif							/* BI_UNSENT_H */
