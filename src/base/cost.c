/*
 * base/cost.c: what an answer costs, by its tokens.
 *
 * Knows tiers and kinds of tokens, and no provider: their code has made the counts alike.  All of
 * it is numeric, and exact: a price of a million tokens is multiplied, and the sum is shifted by
 * six digits.  A price that is missing is never 0.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "base/cost.h"

/* The columns of a tariff. */
enum
{
	ABOVE, INPUT, CACHED, CACHE_WRITE, CACHE_WRITE_1H, OUTPUT, COLUMNS
};

static void
check_tariff(ArrayType *tariff)
{
	if (ARR_NDIM(tariff) != 2 || ARR_DIMS(tariff)[1] != COLUMNS ||
		ARR_ELEMTYPE(tariff) != NUMERICOID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid tariff"),
				 errdetail("A tariff is an array of rows of %d numbers.", COLUMNS)));
}

/* Returns the first element of the tier for that many tokens: the last one below, else the first
 * one. */
static int
find_tier(const Datum *elements, const bool *nulls, int n, int64 input)
{
	int			found = 0;

	for (int i = 0; i < n; i += COLUMNS)
		if (!nulls[i] &&
			DatumGetInt64(DirectFunctionCall1(numeric_int8, elements[i + ABOVE])) < input)
			found = i;
	return found;
}

/* Adds tokens times price.  False if there are tokens without a price. */
static bool
add(Datum *sum, int64 tokens, Datum price, bool is_null)
{
	if (tokens == 0)
		return true;
	if (is_null)
		return false;
	price = DirectFunctionCall2(numeric_mul, NumericGetDatum(int64_to_numeric(tokens)), price);
	*sum = DirectFunctionCall2(numeric_add, *sum, price);
	return true;
}

/* Returns the input that no cache is concerned with; negative if the counts contradict each
 * other or one is unknown. */
static int64
plain_input(const BiUsage *usage)
{
	const int64 parts[] = {usage->cached, usage->cache_write, usage->cache_write_1h};
	int64		rest = usage->input;

	for (int i = 0; i < lengthof(parts) && rest >= 0; i++)
		rest = parts[i] >= 0 ? rest - parts[i] : -1;
	return rest;
}

Numeric
bi_cost(ArrayType *tariff, const BiUsage *usage, Numeric factor)
{
	int64		plain = plain_input(usage);
	int64		output = usage->output;
	Datum		sum = NumericGetDatum(int64_to_numeric(0));
	Datum	   *prices;
	bool	   *nulls;
	int			n;

	check_tariff(tariff);
	deconstruct_array(tariff, NUMERICOID, -1, false, TYPALIGN_INT, &prices, &nulls, &n);
	n = find_tier(prices, nulls, n, usage->input);
	prices += n;
	nulls += n;
	/* embeddings have no output, and no count of it */
	if (output < 0 && nulls[OUTPUT])
		output = 0;
	if (plain < 0 || output < 0 ||
		!add(&sum, plain, prices[INPUT], nulls[INPUT]) ||
		!add(&sum, usage->cached, prices[CACHED], nulls[CACHED]) ||
		!add(&sum, usage->cache_write, prices[CACHE_WRITE], nulls[CACHE_WRITE]) ||
		!add(&sum, usage->cache_write_1h, prices[CACHE_WRITE_1H], nulls[CACHE_WRITE_1H]) ||
		!add(&sum, output, prices[OUTPUT], nulls[OUTPUT]))
		return NULL;
	sum = DirectFunctionCall2(numeric_mul, sum, NumericGetDatum(factor));
	sum = DirectFunctionCall2(numeric_mul, sum, NumericGetDatum(int64_div_fast_to_numeric(1, 6)));
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, sum));
}
