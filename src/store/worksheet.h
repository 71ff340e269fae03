/*
 * store/worksheet.h: the worksheet by which batch_readiness judges a job.
 */
#ifndef BI_WORKSHEET_H
#define BI_WORKSHEET_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/forecast.h"

/* A line of the worksheet; palloc'd, as its texts. */
typedef struct BiJudgement
{
	char	   *factor;
	char	   *value;			/* NULL if it is not known */
	char	   *verdict;		/* batch, flex, realtime, hybrid, provisioned or unknown */
	char	   *reason;
} BiJudgement;

/*
 * Returns the lines (BiJudgement), the recommendation last, in the current context.  facts: what is
 * known, as a JSON object; the function batchinf.worksheet names its members.  What the requests
 * of the forecast cost in flex, what the workers do, and their last look are added to it.  Needs
 * SPI and a transaction; writes nothing.
 */
extern List *bi_worksheet_fill(const char *facts, Oid server, const char *model, int64 records,
							   const BiForecast *forecast);

#endif							/* BI_WORKSHEET_H */
