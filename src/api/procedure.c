/*
 * api/procedure.c: what functions about one job, and procedures that commit, have in common.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

void
bi_procedure_require_no_block(FunctionCallInfo fcinfo, const char *name)
{
	Node	   *context = fcinfo->context;

	if (context && IsA(context, CallContext) && !castNode(CallContext, context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s cannot run inside a transaction block", name),
			 errhint("It commits as it goes: CALL it on its own.")));
}

TimestampTz
bi_procedure_until(FunctionCallInfo fcinfo, int i, const char *name)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;

	TIMESTAMP_NOEND(until);
	if (PG_ARGISNULL(i))
		return until;
	until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													TimestampTzGetDatum(now), PG_GETARG_DATUM(i)));
	if (until < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", name)));
	return until;
}

int64
bi_procedure_job(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "job_id")));
	return PG_GETARG_INT64(0);
}

void
bi_procedure_connect(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
}
