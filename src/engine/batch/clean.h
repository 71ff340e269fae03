/*
 * engine/batch/clean.h: removes what we left at the provider.
 */
#ifndef BI_CLEAN_H
#define BI_CLEAN_H

#include "engine/step.h"

/* First work of a step in state cleaning: removes one thing after the other (promise 10), then
 * the chunk has ended. */
extern void bi_clean_start(BiStep *step);

#endif							/* BI_CLEAN_H */
