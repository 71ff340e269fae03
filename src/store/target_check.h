/*
 * store/target_check.h: what batch_submit refuses of a target before anything is sent.
 */
#ifndef BI_TARGET_CHECK_H
#define BI_TARGET_CHECK_H

#include "store/target.h"

/*
 * Raises an error if the current user lacks a right that the write-back needs, or if a column can
 * take no output of the job.  embedding_size: how many numbers each embedding has; 0 if unknown.
 */
extern void bi_target_check(const BiTarget *target, const BiSpec *spec, int embedding_size);

#endif							/* BI_TARGET_CHECK_H */
