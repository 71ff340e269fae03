/*
 * store/event.c: the table batchinf.event.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/event.h"
#include "store/sql.h"

void
bi_event_add(const BiChunk *chunk, const char *event, const char *detail, int status,
			 const char *request_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_state_name(chunk->state));
	bi_sql_arg_text(&args, event);
	bi_sql_arg_text(&args, detail);
	bi_sql_arg(&args, INT4OID, Int32GetDatum(status), status == 0);
	bi_sql_arg_text(&args, request_id);
	bi_sql_run("INSERT INTO batchinf.event (job_id, chunk_id, state, event, detail, http_status,"
			   " request_id)"
			   " VALUES ($1, $2, $3, $4, $5, $6, $7)", &args);
}
