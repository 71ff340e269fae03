/*
 * intake/purse.c: what a job is estimated at, and whether that may be spent.
 *
 * This is what can be said at submit, and binds nobody: two transactions do not see each other's
 * jobs.  What binds is said when a batch is about to be sent (engine/batch/money.c), by the p95 of
 * that batch.  A job needs its estimate (p50: half of such jobs cost more), and the p95 of its
 * first batch: without that not even the first one would be sent.
 */
#include "postgres.h"

#include "intake/purse.h"
#include "store/ceiling.h"
#include "store/forecast.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* What a job may cost, in US dollars.  On the stack of bi_purse_check. */
typedef struct Price
{
	Numeric		estimate;		/* NULL: a price is missing */
	Numeric		first;			/* p95 of its first batch; the same */
} Price;

/* Copies cost nothing. */
static Price
estimate(const BiJob *job, const BiPlanned *planned)
{
	const BiChunk *first = linitial(planned->chunks);
	int64		records = 0;
	int64		tokens = 0;
	BiForecast	forecast;
	Price		price;
	ListCell   *cell;

	foreach(cell, planned->chunks)
	{
		const BiChunk *chunk = lfirst(cell);

		records += chunk->records;
		tokens += chunk->tokens;
	}
	bi_forecast_make(job->server, &job->spec, records, tokens, &forecast);
	price.estimate = forecast.cost;
	if (list_length(planned->chunks) > 1)
		bi_forecast_make(job->server, &job->spec, first->records, first->tokens, &forecast);
	price.first = forecast.cost_p95;
	return price;
}

/* Returns what there must be at least; NULL: not known. */
static Numeric
need_of(const Price *price)
{
	if (price->estimate == NULL || price->first == NULL)
		return NULL;
	return DatumGetNumeric(DirectFunctionCall2(numeric_larger, NumericGetDatum(price->estimate),
											   NumericGetDatum(price->first)));
}

/* The model has no price: no limit can be kept. */
static void
report_unpriced(const BiJob *job, const BiCeiling *ceiling)
{
	bool		warns = ceiling->on_exceed == BI_ON_EXCEED_WARN;

	ereport(warns ? WARNING : ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg(warns ? "cost of the batch job is not counted by %s"
					: "cost of the batch job cannot be kept within %s", ceiling->name),
			 errdetail("Model \"%s\" has no price at server \"%s\".", job->spec.model,
					   job->server_name),
			 errhint("batch_set_price() gives it one.")));
}

/* True if the limit leaves enough in its next period: for the whole job, or, where batches wait,
 * for its first one. */
static bool
will_fit(const BiCeiling *ceiling, const Price *price)
{
	Numeric		need = ceiling->on_exceed == BI_ON_EXCEED_REFUSE ? need_of(price) : price->first;

	return !TIMESTAMP_IS_NOEND(ceiling->until) && !bi_ceiling_never_fits(ceiling, need);
}

static const char *
hint_of(const BiJob *job, const BiCeiling *ceiling, const Price *price)
{
	if (ceiling->is_budget && will_fit(ceiling, price))
		return psprintf("There is money again at %s, or when batch_set_budget() gives more.",
						timestamptz_to_str(ceiling->until));
	if (ceiling->is_budget)
		return "batch_set_budget() gives more.";
	if (job->spec.max_cost_by_setting)
		return "Setting batchinf.max_job_cost limits jobs that name no max_cost; name one to raise"
			" it on purpose.";
	return "Raise max_cost, or limit the length of answers in params.";
}

static void
report_exceeded(const BiJob *job, const BiCeiling *ceiling, const Price *price)
{
	static const int levels[] = {
		[BI_ON_EXCEED_REFUSE] = ERROR,
		[BI_ON_EXCEED_WAIT] = NOTICE,
		[BI_ON_EXCEED_WARN] = WARNING,
	};

	ereport(levels[ceiling->on_exceed],
			(errcode(ceiling->on_exceed == BI_ON_EXCEED_REFUSE
					 ? ERRCODE_CONFIGURATION_LIMIT_EXCEEDED : ERRCODE_WARNING),
			 errmsg(ceiling->on_exceed == BI_ON_EXCEED_WAIT
					? "batches of the job wait when %s is used up"
					: "batch job may cost more than %s leaves", ceiling->name),
			 errdetail("The job is estimated at %s US dollars, and its first batch may cost %s."
					   " Of the limit of %s, %s are spent and %s are reserved for batches under"
					   " way.",
					   bi_ceiling_text(price->estimate), bi_ceiling_text(price->first),
					   ceiling->amount, ceiling->spent, ceiling->reserved),
			 errhint("%s", hint_of(job, ceiling, price))));
}

void
bi_purse_check(BiJob *job, const BiPlanned *planned)
{
	Price		price;
	ListCell   *cell;

	if (planned->chunks == NIL || !bi_ceiling_exists())
		return;
	price = estimate(job, planned);
	if (price.estimate)
		job->spec.estimated_cost = bi_ceiling_text(price.estimate);
	foreach(cell, bi_ceiling_exceeded(job, need_of(&price)))
	{
		if (need_of(&price))
			report_exceeded(job, lfirst(cell), &price);
		else
			report_unpriced(job, lfirst(cell));
	}
}

List *
bi_purse_words(const BiJob *job, const BiPlanned *planned)
{
	static const char *const effects[] = {
		[BI_ON_EXCEED_REFUSE] = "batch_submit refuses it",
		[BI_ON_EXCEED_WAIT] = "its batches wait",
		[BI_ON_EXCEED_WARN] = "batch_submit warns",
	};
	List	   *words = NIL;
	Numeric		need;
	Price		price;
	ListCell   *cell;

	if (planned->chunks == NIL || !bi_ceiling_exists())
		return NIL;
	price = estimate(job, planned);
	need = need_of(&price);
	foreach(cell, bi_ceiling_exceeded(job, need))
	{
		const BiCeiling *ceiling = lfirst(cell);
		const char *needs = need ? psprintf("it needs %s", bi_ceiling_text(need))
			: "its model has no price";

		words = lappend(words, psprintf("of %s, %s US dollars, %s are spent and %s reserved; %s:"
										" %s", ceiling->name, ceiling->amount, ceiling->spent,
										ceiling->reserved, needs, effects[ceiling->on_exceed]));
	}
	return words;
}
