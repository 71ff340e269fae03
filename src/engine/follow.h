/*
 * engine/follow.h: the way of a batch.  First work of a claimed step, by state.
 */
#ifndef BI_FOLLOW_H
#define BI_FOLLOW_H

#include "engine/step.h"

/* submitted, running, cancelling, ambiguous: where does it stand? */
extern void bi_follow_poll(BiStep *step);

/* cancelling: asks it to stop, now and then again, and where it stands. */
extern void bi_follow_cancel(BiStep *step);

/* fetching: all results into spools, then delivers them. */
extern void bi_follow_fetch(BiStep *step);

/* cleaning: removes what we left there. */
extern void bi_follow_clean(BiStep *step);

#endif							/* BI_FOLLOW_H */
