/*
 * base/cost.h: what an answer costs, by its tokens.
 */
#ifndef BI_COST_H
#define BI_COST_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/numeric.h"

/*
 * The tokens of an answer, as the provider's code counts them: input includes all that concerns a
 * cache, output includes reasoning.  A variable of the caller.
 */
typedef struct BiUsage
{
	int64		input;			/* -1 if unknown */
	int64		cached;			/* read from a cache; 0 if unknown, as the next two */
	int64		cache_write;
	int64		cache_write_1h; /* written to a cache for an hour */
	int64		output;			/* -1 if unknown */
} BiUsage;

/*
 * Returns the cost in US dollars, palloc'd and exact, multiplied by factor.  NULL if it is unknown:
 * a count or the price of a count is missing, or the counts contradict each other.
 *
 * tariff (numeric[]) has a row for each tier, the smallest first: above how many tokens of input,
 * then the prices of a million tokens in the order of BiUsage; NULL: no price.  The tier of the
 * whole request is that of its input.  Raises an error if it is another array.
 */
extern Numeric bi_cost(ArrayType *tariff, const BiUsage *usage, Numeric factor);

#endif							/* BI_COST_H */
