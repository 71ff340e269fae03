/*
 * engine/batch/find.h: looks for the batch of a create call whose reply was lost.
 */
#ifndef BI_FIND_H
#define BI_FIND_H

#include "engine/step.h"

/* First work of a step in state creating or ambiguous, whose batch is not known; also after a poll
 * to which the provider said that it has no such batch. */
extern void bi_find_start(BiStep *step);

#endif							/* BI_FIND_H */
