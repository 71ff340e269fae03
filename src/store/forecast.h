/*
 * store/forecast.h: what to expect of requests, before they are sent.
 */
#ifndef BI_FORECAST_H
#define BI_FORECAST_H

#include "postgres.h"

#include "store/spec.h"
#include "utils/numeric.h"

/*
 * What to expect of a number of requests together, as batchinf.forecast returns it: its comment
 * says how.  A variable of the caller; what it points to lives in the context of the call.  A
 * Numeric is NULL if it is unknown: amounts, in US dollars, if a price is missing.
 */
typedef struct BiForecast
{
	int64		input;			/* tokens */
	int64		output;
	int64		output_p95;		/* if each answer is as long as 19 of 20 at most are */
	int64		measured;		/* records behind the factor of input; 0: there is none */
	const char *input_basis;	/* prompt, model, text */
	const char *output_basis;	/* prompt, model, max_tokens, default; none: of embeddings */
	Numeric		error;			/* mean error of past estimates of input, as a share */
	Numeric		cost;			/* in batches, at the prices of now */
	Numeric		cost_p95;		/* the same with output_p95 */
	Numeric		realtime_cost;	/* the same requests in real time */
} BiForecast;

/* True if there are forecasts: false until ALTER EXTENSION UPDATE.  Needs a transaction. */
extern bool bi_forecast_exists(void);

/*
 * Sets *forecast for that many requests of a job with this spec, at that server.  tokens: their
 * estimate, as BiChunk.tokens: of a chunk, or the sum of a job's chunks.  Needs SPI and a
 * transaction; writes nothing.
 */
extern void bi_forecast_make(Oid server, const BiSpec *spec, int64 records, int64 tokens,
							 BiForecast *forecast);

#endif							/* BI_FORECAST_H */
