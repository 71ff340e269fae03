/*
 * store/spend.c: the table batchinf.spend: the ledger.
 *
 * Its rows are inserted by those who insert answers (result.c, attempt.c), each in the same
 * transaction, and nobody changes them: a session that reads sums waits for nobody, and a worker
 * never waits for a session.  What was staged is inserted here.
 */
#include "postgres.h"

#include "store/spend.h"
#include "store/sql.h"

void
bi_spend_staged(int64 job_id, int64 chunk_id, int64 bytes)
{
	BiArgs		args = {0};

	if (bytes == 0)
		return;
	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_int8(&args, bytes);
	bi_sql_run(BI_SPEND_INSERT("$1", "$2", "bytes_staged", "$3", "(SELECT NULL::text) g(model)"),
			   &args);
}
