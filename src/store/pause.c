/*
 * store/pause.c: the table batchinf.pause: servers that want no calls for now.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/pause.h"
#include "store/sql.h"
#include "utils/timestamp.h"

/* "server "openai" … batch jobs of role "app"", in the current context. */
static char *
whose_jobs(Oid owner)
{
	if (!OidIsValid(owner))
		return "batch jobs";
	return psprintf("batch jobs of role \"%s\"", GetUserNameFromId(owner, true) ? GetUserNameFromId(owner, true) : "?");
}

/* The subquery of RETURNING sees the row as it was.  What is missing here is looked for at a steady pace: such a failure makes no later wait longer. */
void
bi_pause_set(const BiPause *pause)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, pause->server);
	bi_sql_arg_oid(&args, pause->owner);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(pause->delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, pause->reason);
	bi_sql_arg_oid(&args, pause->requester);
	bi_sql_arg_text(&args, pause->kind);
	bi_sql_arg_text(&args, pause->cause);
	bi_sql_run("INSERT INTO batchinf.pause AS p (server, owner, until, reason, failures, install, database, requester, kind, since, cause)"
			   " SELECT $1, $2, clock_timestamp() + $3 * interval '1 second', $4, 1, h.uuid, h.database, $5, $6, now(), $7 FROM batchinf.here h"
			   " ON CONFLICT (server, owner) DO UPDATE SET until = GREATEST(p.until, EXCLUDED.until), reason = EXCLUDED.reason,"
			   " failures = CASE WHEN $7 = 'missing' THEN 1 ELSE p.failures + 1 END, at = EXCLUDED.at, install = EXCLUDED.install,"
			   " database = EXCLUDED.database, requester = EXCLUDED.requester, kind = EXCLUDED.kind, cause = EXCLUDED.cause,"
			   " since = CASE WHEN p.failures > 0 THEN COALESCE(p.since, p.at) ELSE EXCLUDED.since END"
			   " RETURNING NOT EXISTS (SELECT FROM batchinf.pause o WHERE o.server = $1 AND o.owner = $2 AND o.failures > 0)", &args);
	if (!bi_sql_bool(0, 1))
		return;
	ereport(LOG,
			(errmsg("server \"%s\" is paused for %s: %s", pause->server_name, whose_jobs(pause->owner), pause->reason)));
}

void
bi_pause_clear(Oid server, const char *server_name, Oid owner)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	n = bi_sql_run("UPDATE batchinf.pause SET failures = 0, until = now() WHERE server = $1 AND owner IN (0, $2) AND failures > 0"
				   " RETURNING owner, since", &args);
	for (int64 i = 0; i < n; i++)
		ereport(LOG,
				(errmsg("server \"%s\" works again for %s", server_name, whose_jobs((Oid) bi_sql_int8(i, 1))),
				 errdetail("It was paused since %s.", timestamptz_to_str(bi_sql_time(i, 2)))));
}
