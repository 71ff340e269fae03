/*
 * store/pause.c: the table batchinf.pause: servers that want no calls for now.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/pause.h"
#include "store/sql.h"
#include "utils/timestamp.h"

static const char *const causes[] = {
	[BI_PAUSE_FAILING] = "failing",
	[BI_PAUSE_THROTTLED] = "throttled",
	[BI_PAUSE_DENIED] = "denied",
	[BI_PAUSE_MISSING] = "missing",
};

/* Returns the name of a role, also of one that is gone, in the current context. */
static const char *
name_of(Oid owner)
{
	const char *name = GetUserNameFromId(owner, true);

	return name ? name : "?";
}

/* Upserts the row.  The subquery of RETURNING sees the row as it was.  A missing key is looked for
 * at a steady pace, so it counts as one failure only. */
void
bi_pause_set(const BiPause *pause)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, pause->server);
	bi_sql_arg_oid(&args, pause->owner);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(pause->delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, pause->reason);
	bi_sql_arg_text(&args, pause->kind);
	bi_sql_arg_text(&args, causes[pause->cause]);
	bi_sql_arg_time(&args, pause->asked_at == 0 ? DT_NOEND : pause->asked_at);
	bi_sql_run("INSERT INTO batchinf.pause AS p (server, owner, until, reason, failures, install,"
			   " database, kind, since, cause)"
			   " SELECT $1, $2, clock_timestamp() + $3 * interval '1 second', $4, 1, h.uuid,"
			   " h.database, $5, now(), $6 FROM batchinf.here h"
			   " ON CONFLICT (server, owner) DO UPDATE"
			   " SET until = GREATEST(p.until, EXCLUDED.until), reason = EXCLUDED.reason,"
			   " failures = CASE WHEN $6 = 'missing' THEN 1"
			   " WHEN p.failures > 0 AND $7 < p.at THEN p.failures"
			   " ELSE p.failures + 1 END,"
			   " at = CASE WHEN p.failures > 0 AND $7 < p.at THEN p.at ELSE EXCLUDED.at END,"
			   " install = EXCLUDED.install, database = EXCLUDED.database,"
			   " kind = EXCLUDED.kind, cause = EXCLUDED.cause,"
			   " since = CASE WHEN p.failures > 0 THEN COALESCE(p.since, p.at)"
			   " ELSE EXCLUDED.since END"
			   " RETURNING NOT EXISTS (SELECT FROM batchinf.pause o WHERE o.server = $1"
			   " AND o.owner = $2 AND o.failures > 0)", &args);
	if (!bi_sql_bool(0, 1))
		return;
	ereport(LOG,
			(errmsg("server \"%s\" is paused for batch jobs of role \"%s\": %s",
					pause->server_name, name_of(pause->owner), pause->reason)));
}

void
bi_pause_clear(Oid server, const char *server_name, Oid owner)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, owner);
	if (bi_sql_run("UPDATE batchinf.pause SET failures = 0, until = now() WHERE server = $1"
				   " AND owner = $2 AND failures > 0 RETURNING since", &args) == 0)
		return;
	ereport(LOG,
			(errmsg("server \"%s\" works again for batch jobs of role \"%s\"", server_name,
					name_of(owner)),
			 errdetail("It was paused since %s.", timestamptz_to_str(bi_sql_time(0, 1)))));
}
