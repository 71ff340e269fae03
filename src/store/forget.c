/*
 * store/forget.c: a job that is deleted leaves nothing behind.
 *
 * batch_delete deletes a job; a superuser may by hand, too.  Chunks go by their foreign key.  If a
 * superuser deletes a single chunk, its records go, and the job has so many fewer.
 *
 * Records, results and events go by this trigger instead, because a foreign key is checked for each
 * row that is inserted: as measured, batch_submit took 1.5 times as long with it, and the insertion
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
#include "store/forget.h"
#include "store/inflight.h"
#include "store/sql.h"
#include "utils/rel.h"

/* Until ALTER EXTENSION UPDATE our tables may be those of an older version. */
static bool
has_written(void)
{
	return bi_sql_has_column("written", "job_id");
}

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
	if (bi_inflight_exists())
		bi_sql_run("DELETE FROM batchinf.in_flight WHERE job_id = $1", &args);
	if (!has_written())
		return;
	bi_sql_run("DELETE FROM batchinf.written WHERE job_id = $1", &args);
	bi_sql_run("DELETE FROM batchinf.replaced WHERE job_id = $1", &args);
}

static void
forget_all(void)
{
	bi_sql_run("TRUNCATE batchinf.record, batchinf.result, batchinf.event", NULL);
	if (has_written())
		bi_sql_run("TRUNCATE batchinf.written, batchinf.replaced", NULL);
	if (bi_inflight_exists())
		bi_sql_run("TRUNCATE batchinf.in_flight", NULL);
}

bool
bi_forget_is_clean(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	return bi_sql_run("SELECT FROM batchinf.chunk c JOIN pg_foreign_server f ON f.oid = c.server"
					  " WHERE c.job_id = $1 AND c.next_step_at IS NOT NULL LIMIT 1", &args) == 0;
}

void
bi_forget_job(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("DELETE FROM batchinf.job WHERE job_id = $1", &args);
}

static void
check_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", function)));
}

/* Returns a bigint of the row that was deleted. */
static int64
old_number(const TriggerData *trigger, int column)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(trigger->tg_trigtuple, column,
									  RelationGetDescr(trigger->tg_relation), &isnull));
}

/* Deletes the records that a chunk had, which are the job's no more. */
static void
forget_chunk(int64 chunk_id, int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_int8(&args, chunk_id);
	/* the job is deleted, too: its own trigger does it for all its chunks at once */
	if (bi_sql_run("SELECT FROM batchinf.job WHERE job_id = $1 AND $2 IS NOT NULL", &args) == 0)
		return;
	if (has_written())
		bi_sql_run("WITH w AS (DELETE FROM batchinf.written w USING batchinf.record r"
				   "   WHERE r.chunk_id = $2 AND r.job_id = $1 AND w.job_id = r.job_id"
				   "    AND w.seq = r.seq)"
				   " DELETE FROM batchinf.replaced w USING batchinf.record r"
				   "  WHERE r.chunk_id = $2 AND r.job_id = $1 AND w.job_id = r.job_id"
				   "   AND w.seq = r.seq", &args);
	bi_sql_run("WITH gone AS (DELETE FROM batchinf.record WHERE chunk_id = $2"
			   "   RETURNING job_id, seq),"
			   " answers AS (DELETE FROM batchinf.result s USING gone g"
			   "   WHERE s.job_id = g.job_id AND s.seq = g.seq)"
			   " UPDATE batchinf.job SET records = records - (SELECT count(*) FROM gone)"
			   " WHERE job_id = $1", &args);
	bi_sql_run("DELETE FROM batchinf.event WHERE job_id = $1 AND chunk_id = $2", &args);
}

PG_FUNCTION_INFO_V1(batchinf_forget_chunk);

/* The trigger of batchinf.chunk: AFTER DELETE for each row. */
Datum
batchinf_forget_chunk(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	check_trigger(fcinfo, "batchinf.forget_chunk");
	bi_sql_connect();
	forget_chunk(old_number(trigger, 1), old_number(trigger, 2));
	bi_sql_finish();
	PG_RETURN_POINTER(NULL);
}

PG_FUNCTION_INFO_V1(batchinf_forget);

/* The trigger of batchinf.job: AFTER DELETE for each row, AFTER TRUNCATE for each statement. */
Datum
batchinf_forget(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	check_trigger(fcinfo, "batchinf.forget");
	bi_sql_connect();
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		forget_all();
	else
		forget_job(old_number(trigger, 1));
	bi_sql_finish();
	/* A trigger returns a null pointer, which is not an SQL null. */
	PG_RETURN_POINTER(NULL);
}
