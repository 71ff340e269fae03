/*
 * store/pause.c: the table batchinf.pause: servers that want no calls for now.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/pause.h"
#include "store/sql.h"

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
