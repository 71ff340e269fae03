/*
 * engine/results/charge.c: what answers cost.
 *
 * Knows when an answer is billed, and when its money is wasted; no prices (store/tariff.c) and no
 * arithmetic (base/cost.c).
 *
 * Decided here:
 * - An answer whose tokens the provider reports costs what these tokens do, whatever its outcome:
 *   a refusal and an output that was cut off are billed.
 * - Without tokens a request that came to no output is not billed: it expired, was cancelled or
 *   failed, or the results do not mention it.  All providers say so of their batches.  (Source:
 *   their pages on prices of batches, seen 2026-11.)  With an output it was billed, and for how
 *   much is not known: it is unpriced, never free.
 * - A copy is free: its source was paid for, and has the tokens.
 * - Wasted is what brought no success, and what came after the deadline of its job.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/cost.h"
#include "engine/results/charge.h"

/* True if the provider does not bill the request of this answer. */
static bool
is_free(const BiAnswer *answer)
{
	if (answer->is_copy)
		return true;
	return answer->input_tokens < 0 && answer->output_tokens < 0 && answer->output == NULL &&
		answer->outcome != BI_OUTCOME_SUCCEEDED && answer->outcome != BI_OUTCOME_INVALID_OUTPUT;
}

/* Returns the counts of an answer; what a cache has to do with it is nothing if it is unknown. */
static BiUsage
usage_of(const BiAnswer *answer, BiTask task)
{
	BiUsage		usage = {
		.input = answer->input_tokens,
		.cached = Max(answer->cached_tokens, 0),
		.cache_write = Max(answer->cache_write_tokens, 0),
		.cache_write_1h = Max(answer->cache_write_1h_tokens, 0),
		.output = answer->output_tokens,
	};

	if (task == BI_TASK_EMBEDDING)
		usage.output = Max(usage.output, 0);	/* an embedding has no such tokens */
	return usage;
}

/* Returns what the tokens of an answer cost by these prices; NULL if they are missing. */
static Numeric
cost_of(ArrayType *prices, const BiAnswer *answer, const BiJob *job)
{
	BiUsage		usage = usage_of(answer, job->spec.task);

	return prices ? bi_cost(prices, &usage, int64_to_numeric(1)) : NULL;
}

static void
charge(BiTariffs *tariffs, BiResult *result)
{
	const BiJob *job = tariffs->job;
	const BiAnswer *answer = &result->answer;
	const BiTariff *tariff;

	result->is_wasted = !answer->is_copy && (answer->outcome != BI_OUTCOME_SUCCEEDED ||
		(!job->cancelled && job->deadline <= GetCurrentTransactionStartTimestamp()));
	result->booked_as = job->spec.model;
	result->cost = result->realtime_cost = NULL;
	if (is_free(answer))
	{
		result->cost = result->realtime_cost = int64_to_numeric(0);
		return;
	}
	tariff = bi_tariff_find(tariffs, answer->model);
	if (tariff == NULL)
		return;
	if (tariff->model)
		result->booked_as = tariff->model;
	result->cost = cost_of(tariff->cost, answer, job);
	result->realtime_cost = cost_of(tariff->realtime, answer, job);
}

Numeric
bi_charge_answer(BiTariffs *tariffs, const BiAnswer *answer)
{
	const BiTariff *tariff = bi_tariff_find(tariffs, answer->model);

	return tariff ? cost_of(tariff->cost, answer, tariffs->job) : NULL;
}

Numeric
bi_charge_realtime(BiTariffs *tariffs, const BiAnswer *answer)
{
	const BiTariff *tariff = bi_tariff_find(tariffs, answer->model);

	return tariff ? cost_of(tariff->realtime, answer, tariffs->job) : NULL;
}

void
bi_charge_results(BiTariffs *tariffs, BiResult *results, int n)
{
	for (int i = 0; i < n; i++)
		if (results[i].known && !results[i].delivered)
			charge(tariffs, &results[i]);
}
