/*
 * store/event.c: the tables batchinf.event and batchinf.pause.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/event.h"
#include "store/sql.h"

void
bi_event_add(const BiChunk *chunk, const char *event, const char *detail, int status, const char *request_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_state_name(chunk->state));
	bi_sql_arg_text(&args, event);
	bi_sql_arg_text(&args, detail);
	bi_sql_arg(&args, INT4OID, Int32GetDatum(status), status == 0);
	bi_sql_arg_text(&args, request_id);
	bi_sql_run("INSERT INTO batchinf.event (job_id, chunk_id, state, event, detail, http_status, request_id)"
			   " VALUES ($1, $2, $3, $4, $5, $6, $7)", &args);
}

int
bi_pause_failures(Oid server, Oid owner)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	bi_sql_run("SELECT COALESCE(max(failures), 0) FROM batchinf.pause WHERE server = $1 AND owner = $2", &args);
	return (int) bi_sql_int8(0, 1);
}

void
bi_pause_set(Oid server, Oid owner, int64 delay_ms, const char *reason)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, reason);
	bi_sql_run("INSERT INTO batchinf.pause AS p (server, owner, until, reason, failures)"
			   " VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second', $4, 1)"
			   " ON CONFLICT (server, owner) DO UPDATE SET until = GREATEST(p.until, EXCLUDED.until), reason = EXCLUDED.reason,"
			   " failures = p.failures + 1, at = EXCLUDED.at", &args);
}

void
bi_pause_clear(Oid server, Oid owner)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	bi_sql_run("UPDATE batchinf.pause SET failures = 0, until = now() WHERE server = $1 AND owner IN (0, $2) AND failures > 0", &args);
}
