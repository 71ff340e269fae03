/*
 * engine/results/second.c: second answers to a record, which were paid for and are no results.
 *
 * A provider may run a request twice.  The first line counts; the second one is wasted money.  A
 * line that stands in a file twice is something else: the same answer, paid for once.  So a second
 * answer is compared with the one that is stored.  What it costs is added up here, in memory, and
 * saved at the end of the delivery (deliver.c): one that begins again counts from 0.
 */
#include "postgres.h"

#include "engine/results/charge.h"
#include "engine/results/second.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

typedef struct Count
{
	BiApply    *apply;
	const List *seconds;
} Count;

/* Adds an amount to the sum, which outlives this transaction; NULL: it is not known. */
static void
add(BiApply *apply, Numeric cost)
{
	Numeric		sum = apply->second_cost;
	MemoryContext old;

	if (cost == NULL)
	{
		apply->second_unpriced++;
		return;
	}
	if (sum)
		cost = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(sum),
												   NumericGetDatum(cost)));
	old = MemoryContextSwitchTo(apply->step->cxt);
	apply->second_cost = DatumGetNumericCopy(NumericGetDatum(cost));
	MemoryContextSwitchTo(old);
	if (sum)
		pfree(sum);
}

static void
count_phase(void *arg)
{
	const Count *count = arg;
	int			n = list_length(count->seconds);
	BiResult   *results = palloc(sizeof(BiResult) * n);
	bool	   *differs = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
		results[i] = *(BiResult *) list_nth(count->seconds, i);
	bi_result_compare(count->apply->step->chunk, results, differs, n);
	for (int i = 0; i < n; i++)
		if (differs[i])
			add(count->apply, bi_charge_answer(&count->apply->tariffs, &results[i].answer));
}

void
bi_second_count(BiApply *apply, const List *seconds)
{
	Count		count = {apply, seconds};
	ErrorData  *error = bi_xact_run(apply->step->mode, count_phase, &count);

	if (error)
		ReThrowError(error);
}
