/*
 * api/work.c: batch_work: does the work of a background worker in the caller's session.
 *
 * It is for installations where no worker may run, and for tests.  It is a procedure that commits
 * as it goes: while it waits, no transaction is open and nothing is locked.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "engine/drive.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/owner.h"
#include "worker/pipelines.h"
#include "worker/version.h"

PG_FUNCTION_INFO_V1(batchinf_work);

static void
check_session_phase(void *arg)
{
	bi_owner_check_session();
}

/* batch_work(max_time interval) */
Datum
batchinf_work(PG_FUNCTION_ARGS)
{
	static TimestampTz polled_until = 0;	/* by this session */
	BiDrive		drive = {
		.mode = BI_XACT_PROCEDURE, .linger_ms = -1, .polled_until = &polled_until,
		.refresh = bi_pipelines_refresh,
	};
	ErrorData  *error;

	PreventCommandDuringRecovery("batch_work()");
	bi_procedure_require_no_block(fcinfo, "batch_work");
	bi_version_require("batch jobs cannot be worked on");
	drive.until = bi_procedure_until(fcinfo, 0, "max_time");
	bi_procedure_connect();
	error = bi_xact_run(drive.mode, check_session_phase, NULL);
	if (error)
		ReThrowError(error);
	(void) bi_drive(&drive);
	SPI_finish();
	PG_RETURN_VOID();
}
