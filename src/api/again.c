/*
 * api/again.c: batch_rewrite: kept outputs are written to their rows again.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "store/job.h"
#include "store/result.h"
#include "store/rewrite.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_rewrite);

static bool
may_be_written_again(const char *state)
{
	return strcmp(state, BI_WRITE_FAILED) == 0 || strcmp(state, BI_TARGET_MISSING) == 0 || strcmp(state, BI_STALE) == 0;
}

static void
check_states(ArrayType *states)
{
	Datum	   *words;
	bool	   *nulls;
	int			n;

	deconstruct_array(states, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *word = nulls[i] ? "NULL" : TextDatumGetCString(words[i]);

		if (!may_be_written_again(word))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("outputs with write state \"%s\" cannot be written again", word),
					 errhint("Write states that can are write_failed, target_missing and stale.")));
	}
}

Datum
batchinf_rewrite(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	BiJob	   *job;
	int64		rows;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"write_states\" must not be null"),
				 errhint("Leave it out to write all outputs again whose write-back failed.")));
	check_states(PG_GETARG_ARRAYTYPE_P(1));
	bi_sql_connect();
	job = bi_job_require(CurrentMemoryContext, job_id, "rewrite");
	bi_job_refuse_foreign(job, "rewrite");
	rows = bi_rewrite_begin(job, PG_GETARG_DATUM(1));
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_INT64(rows);
}
