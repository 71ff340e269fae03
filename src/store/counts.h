/*
 * store/counts.h: fragments of SQL that add rows of batchinf.result to a chunk's counts.
 *
 * A statement that inserts or changes results counts the rows in a CTE "n" and adds n to the
 * chunk "c" in the same statement, so counts and results never differ.
 */
#ifndef BI_COUNTS_H
#define BI_COUNTS_H

/* Counts outcomes.  final: a condition that is true for the results that are counted. */
#define BI_COUNTS_OUTCOMES(final) \
	" count(*) FILTER (WHERE outcome = 'succeeded' AND (" final ")) AS succeeded," \
	" count(*) FILTER (WHERE outcome = 'invalid_output' AND (" final ")) AS invalid_output," \
	" count(*) FILTER (WHERE outcome = 'errored' AND (" final ")) AS errored," \
	" count(*) FILTER (WHERE outcome = 'expired' AND (" final ")) AS expired," \
	" count(*) FILTER (WHERE outcome = 'cancelled' AND (" final ")) AS cancelled," \
	" count(*) FILTER (WHERE outcome = 'missing' AND (" final ")) AS missing"
#define BI_COUNTS_ADD_OUTCOMES \
	" succeeded = c.succeeded + n.succeeded," \
	" invalid_output = c.invalid_output + n.invalid_output," \
	" errored = c.errored + n.errored, expired = c.expired + n.expired," \
	" cancelled = c.cancelled + n.cancelled, missing = c.missing + n.missing"

/* Counts answers and failures among them, of every attempt: see rate.h.  A copy is no answer. */
#define BI_COUNTS_ANSWERS \
	" count(*) FILTER (WHERE outcome NOT IN ('cancelled', 'skipped')) AS answers," \
	" count(*) FILTER (WHERE outcome IN ('invalid_output', 'errored', 'expired', 'missing'))" \
	"  AS bad_answers"
#define BI_COUNTS_ADD_ANSWERS \
	" answers = c.answers + CASE WHEN c.copies IS NULL THEN n.answers ELSE 0 END," \
	" bad_answers = c.bad_answers + CASE WHEN c.copies IS NULL THEN n.bad_answers ELSE 0 END"

/* Adds up tokens and money, in US dollars, of every attempt. */
#define BI_COUNTS_MONEY \
	" COALESCE(sum(input_tokens), 0) AS input_tokens," \
	" COALESCE(sum(cached_tokens), 0) AS cached_tokens," \
	" COALESCE(sum(cache_write_tokens), 0) AS cache_write_tokens," \
	" COALESCE(sum(cache_write_1h_tokens), 0) AS cache_write_1h_tokens," \
	" COALESCE(sum(output_tokens), 0) AS output_tokens," \
	" COALESCE(sum(cost), 0) AS cost, COALESCE(sum(realtime_cost), 0) AS realtime_cost," \
	" COALESCE(sum(realtime_cost - cost), 0) AS saving," \
	" COALESCE(sum(cost) FILTER (WHERE wasted), 0) AS wasted," \
	" count(*) FILTER (WHERE cost IS NULL) AS unpriced"
#define BI_COUNTS_ADD_MONEY \
	" input_tokens = c.input_tokens + n.input_tokens," \
	" cached_tokens = c.cached_tokens + n.cached_tokens," \
	" cache_write_tokens = c.cache_write_tokens + n.cache_write_tokens," \
	" cache_write_1h_tokens = c.cache_write_1h_tokens + n.cache_write_1h_tokens," \
	" output_tokens = c.output_tokens + n.output_tokens," \
	" cost = c.cost + n.cost, realtime_cost = c.realtime_cost + n.realtime_cost," \
	" saving = c.saving + n.saving, wasted = c.wasted + n.wasted," \
	" unpriced = c.unpriced + n.unpriced"

/* The columns of the ledger for these sums, and their values of a row g. */
#define BI_COUNTS_MONEY_COLUMNS \
	"records, input_tokens, cached_tokens, cache_write_tokens, cache_write_1h_tokens," \
	" output_tokens, cost, realtime_cost, saving, wasted, unpriced"
#define BI_COUNTS_MONEY_VALUES \
	"g.n, g.input_tokens, g.cached_tokens, g.cache_write_tokens, g.cache_write_1h_tokens," \
	" g.output_tokens, g.cost, g.realtime_cost, g.saving, g.wasted, g.unpriced"

/* Counts writes that have ended. */
#define BI_COUNTS_WRITES \
	" count(*) FILTER (WHERE write_state = 'written') AS written," \
	" count(*) FILTER (WHERE write_state = 'stale') AS stale," \
	" count(*) FILTER (WHERE write_state = 'target_missing') AS target_missing," \
	" count(*) FILTER (WHERE write_state = 'write_failed') AS write_failed," \
	" count(*) FILTER (WHERE write_state = 'partly') AS partly," \
	" count(*) FILTER (WHERE write_state = 'incomplete') AS incomplete"
#define BI_COUNTS_ADD_WRITES \
	" written = c.written + n.written, stale = c.stale + n.stale," \
	" target_missing = c.target_missing + n.target_missing," \
	" write_failed = c.write_failed + n.write_failed, partly = c.partly + n.partly," \
	" incomplete = c.incomplete + n.incomplete"

#endif							/* BI_COUNTS_H */
