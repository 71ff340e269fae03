/*
 * engine/results/second.h: second answers to a record, which were paid for and are no results.
 */
#ifndef BI_SECOND_H
#define BI_SECOND_H

#include "engine/results/apply.h"

/*
 * Adds to apply what second answers (BiResult *) have cost, once the first ones are in the tables.
 * No transaction is open before and after.  Raises an error if it cannot be found out now: then the
 * delivery begins again.
 */
extern void bi_second_count(BiApply *apply, const List *seconds);

#endif							/* BI_SECOND_H */
