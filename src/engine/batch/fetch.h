/*
 * engine/batch/fetch.h: downloads the results of a batch.
 */
#ifndef BI_FETCH_H
#define BI_FETCH_H

#include "engine/step.h"

/* First work of a step in state fetching: all results into spools, then delivers them. */
extern void bi_fetch_start(BiStep *step);

#endif							/* BI_FETCH_H */
