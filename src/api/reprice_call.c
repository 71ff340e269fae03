/*
 * api/reprice_call.c: batch_reprice: answers get prices that were set later.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/job.h"
#include "store/reprice.h"
#include "store/sql.h"

PG_FUNCTION_INFO_V1(batchinf_reprice);

static void
report(int64 job_id, int64 priced, int64 left)
{
	ereport(NOTICE,
			(errmsg(INT64_FORMAT " answers of batch job " INT64_FORMAT " have got a price, "
					INT64_FORMAT " are unpriced", priced, job_id, left),
			 left > 0 ? errhint("batch_set_price sets prices; what the provider did not count"
								" stays unpriced.") : 0));
}

/* batch_reprice(job_id bigint) RETURNS bigint */
Datum
batchinf_reprice(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	int64		left;
	int64		priced;

	PreventCommandIfReadOnly("batch_reprice()");
	bi_sql_connect();
	(void) bi_job_require(CurrentMemoryContext, job_id, "reprice");
	priced = bi_reprice_job(job_id, &left);
	bi_sql_finish();
	report(job_id, priced, left);
	PG_RETURN_INT64(priced);
}
