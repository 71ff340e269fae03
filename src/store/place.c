/*
 * store/place.c: a new chunk gets the owner and the server of its job.
 *
 * They stand in the chunk too, because the indexes by which the schedule finds what is due begin
 * with them.  A trigger copies them and not the INSERT, because in a user's session the table may
 * be that of an older version, until ALTER EXTENSION UPDATE.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "store/sql.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Reads owner and server of a job.  False if there is no such job: the foreign key says so. */
static bool
read_job(int64 job_id, Datum values[2])
{
	BiArgs		args = {0};
	bool		found;

	bi_sql_connect();
	bi_sql_arg_int8(&args, job_id);
	found = bi_sql_run("SELECT owner, server FROM batchinf.job WHERE job_id = $1", &args) == 1;
	for (int i = 0; found && i < 2; i++)
		values[i] = ObjectIdGetDatum((Oid) bi_sql_int8(0, i + 1));
	bi_sql_finish();
	return found;
}

PG_FUNCTION_INFO_V1(batchinf_place_chunk);

/* The trigger of batchinf.chunk: BEFORE INSERT for each row. */
Datum
batchinf_place_chunk(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	chunk;
	Oid			table;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};
	Datum		job_id;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						"batchinf.place_chunk")));
	chunk = trigger->tg_trigtuple;
	table = RelationGetRelid(trigger->tg_relation);
	columns[0] = get_attnum(table, "owner");
	columns[1] = get_attnum(table, "server");
	job_id = heap_getattr(chunk, get_attnum(table, "job_id"),
						  RelationGetDescr(trigger->tg_relation), &nulls[0]);
	if (!nulls[0] && read_job(DatumGetInt64(job_id), values))
		chunk = heap_modify_tuple_by_cols(chunk, RelationGetDescr(trigger->tg_relation), 2,
										  columns, values, nulls);
	PG_RETURN_POINTER(chunk);
}
