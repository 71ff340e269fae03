/*
 * engine/batch/gate.h: may this chunk be sent now?
 */
#ifndef BI_GATE_H
#define BI_GATE_H

#include "engine/step.h"

/*
 * In the claim's transaction.  True if the chunk must not go on now: then its wait is saved, or
 * its end.  False for every chunk that may be paid for already: nothing holds those up.
 */
extern bool bi_gate_is_closed(BiStep *step);

#endif							/* BI_GATE_H */
