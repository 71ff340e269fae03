/*
 * store/pause.c: the table batchinf.pause: servers that want no calls for now.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/pause.h"
#include "store/sql.h"

void
bi_pause_set(Oid server, Oid owner, Oid requester, int64 delay_ms, const char *kind, const char *reason)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, reason);
	bi_sql_arg_oid(&args, requester);
	bi_sql_arg_text(&args, kind);
	bi_sql_run("INSERT INTO batchinf.pause AS p (server, owner, until, reason, failures, install, database, requester, kind)"
			   " SELECT $1, $2, clock_timestamp() + $3 * interval '1 second', $4, 1, h.uuid, h.database, $5, $6 FROM batchinf.here h"
			   " ON CONFLICT (server, owner) DO UPDATE SET until = GREATEST(p.until, EXCLUDED.until), reason = EXCLUDED.reason,"
			   " failures = p.failures + 1, at = EXCLUDED.at, install = EXCLUDED.install, database = EXCLUDED.database,"
			   " requester = EXCLUDED.requester, kind = EXCLUDED.kind", &args);
}

void
bi_pause_clear(Oid server, Oid owner)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	bi_sql_run("UPDATE batchinf.pause SET failures = 0, until = now() WHERE server = $1 AND owner IN (0, $2) AND failures > 0", &args);
}
