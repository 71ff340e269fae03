/*
 * engine/batch/money.h: is there money for this chunk?
 */
#ifndef BI_MONEY_H
#define BI_MONEY_H

#include "engine/step.h"

/*
 * In the claim's transaction, of a planned chunk that could be sent now.  Reserves what it may
 * cost and returns true.  If a limit does not allow it, saves its wait, or its end, and returns
 * false.
 */
extern bool bi_money_reserve(BiStep *step);

#endif							/* BI_MONEY_H */
