/*
 * engine/apply.h: results into the tables and into target rows.
 */
#ifndef BI_APPLY_H
#define BI_APPLY_H

#include "engine/answer.h"

/*
 * Applies a group in a transaction: results, counts, tokens and target rows together.
 * What fails as a group is tried one by one; ereports only what even a bare result
 * cannot be stored for.  Returns how many of them, from the first, were applied: at least one,
 * and fewer than n if the slice of time was used up.
 */
extern int	bi_apply_group(BiStep *step, BiResult *results, int n);

/* Repeats waiting writes of the chunk, results being room for BI_ANSWER_GROUP; NULL, or why it
 * could not be done now. */
extern ErrorData *bi_apply_again(BiStep *step, BiResult *results);

#endif							/* BI_APPLY_H */
