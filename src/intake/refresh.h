/*
 * intake/refresh.h: what of a pipeline's query is due becomes a job.
 */
#ifndef BI_REFRESH_H
#define BI_REFRESH_H

#include "postgres.h"

#include "store/pipeline.h"

/* How a refresh is wished. */
typedef struct BiRefresh
{
	int64		max_rows;		/* so many are sent at most; 0: all */
	bool		force;			/* most answered rows may be sent again */
	bool		is_scheduled;	/* min_rows and max_age of the pipeline count */
} BiRefresh;

/*
 * Runs the pipeline's query as its owner, with its settings, in a security-restricted operation,
 * and makes a job of what is due.  Returns the job's id; 0 if nothing was sent: then *why says so
 * in words, or is NULL if nothing is due.  The pipeline was loaded and locked in this transaction.
 * Records the refresh.  Needs SPI.  An error leaves user and settings to the abort of the
 * (sub)transaction.
 */
extern int64 bi_refresh_run(const BiPipeline *pipeline, const BiRefresh *wish, char **why);

/* Opens the query in the same way, and reads no row: raises what is wrong with the pipeline. */
extern void bi_refresh_check(const BiPipeline *pipeline);

/* The pipeline has a new version; old: it as it was.  What is answered as it is now is not due for
 * that.  Runs the queries of both, in the same way. */
extern void bi_refresh_rebase(const BiPipeline *old, const BiPipeline *pipeline);

/* Returns the settings of this session that a pipeline keeps, as a JSON object, palloc'd. */
extern char *bi_refresh_settings(void);

#endif							/* BI_REFRESH_H */
