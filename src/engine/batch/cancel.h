/*
 * engine/batch/cancel.h: asks the provider to stop a batch.
 */
#ifndef BI_CANCEL_H
#define BI_CANCEL_H

#include "engine/step.h"

/* First work of a step in state cancelling: asks the batch to stop, now and then again, and
 * between those calls where it stands. */
extern void bi_cancel_start(BiStep *step);

#endif							/* BI_CANCEL_H */
