/*
 * store/forget.c: a job that is deleted by hand leaves nothing behind.
 *
 * Nothing in the extension deletes a job; a superuser may.  Chunks go by their foreign key.
 * Records, results and events go by this trigger instead, for a foreign key is checked for each
 * row that is inserted: measured, batch_submit took 1.5 times as long with it, and the insertion
 * of results 3 times.  The trigger costs nothing before a job is deleted.
 *
 * A process that delivers answers of the job meanwhile locks its chunk before it inserts them
 * (bi_result_insert).  The foreign key's trigger has the earlier name, so it fires first and
 * waits for that process; what it has inserted is seen here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "store/sql.h"
#include "utils/rel.h"

static void
forget_job(int64 job_id)
{
	static const char *const statements[] = {
		"DELETE FROM batchinf.record WHERE job_id = $1",
		"DELETE FROM batchinf.result WHERE job_id = $1",
		"DELETE FROM batchinf.event WHERE job_id = $1",
	};
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	for (int i = 0; i < lengthof(statements); i++)
		bi_sql_run(statements[i], &args);
}

PG_FUNCTION_INFO_V1(batchinf_forget);

/* The trigger of batchinf.job: AFTER DELETE for each row, AFTER TRUNCATE for each statement. */
Datum
batchinf_forget(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		isnull;
	Datum		job_id;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "batchinf.forget")));
	bi_sql_connect();
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		bi_sql_run("TRUNCATE batchinf.record, batchinf.result, batchinf.event", NULL);
	else
	{
		job_id = heap_getattr(trigger->tg_trigtuple, 1, RelationGetDescr(trigger->tg_relation), &isnull);
		forget_job(DatumGetInt64(job_id));
	}
	bi_sql_finish();
	/* A trigger returns a null pointer, which is no SQL null. */
	PG_RETURN_POINTER(NULL);
}
