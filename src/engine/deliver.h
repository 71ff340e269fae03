/*
 * engine/deliver.h: results files become outcomes and written rows.
 */
#ifndef BI_DELIVER_H
#define BI_DELIVER_H

#include "engine/step.h"

/* Applies step->spools group by group as work of the step, then settles the attempt
 * and records the chunk as cleaning. */
extern void bi_deliver_start(BiStep *step);

/* Repeats the waiting writes of a chunk; releases it. */
extern void bi_deliver_rewrite(BiStep *step);

#endif							/* BI_DELIVER_H */
