/*
 * engine/batch/poll.h: asks where a batch stands.
 */
#ifndef BI_POLL_H
#define BI_POLL_H

#include "engine/step.h"

/* First work of a step in state submitted, running, cancelling, or ambiguous with a batch id. */
extern void bi_poll_start(BiStep *step);

/* True for a while after the create call: the provider may not know yet what it has made. */
extern bool bi_poll_is_young(const BiStep *step);

#endif							/* BI_POLL_H */
