/*
 * store/stop.c: the table batchinf.stop: servers that their owners have paused.
 *
 * The worker writes batchinf.pause, and clears it when the server answers.  This is another table,
 * because batches at a paused server go on, and their answers must not end the pause.
 */
#include "postgres.h"

#include "store/sql.h"
#include "store/stop.h"

bool
bi_stop_set(Oid server, const char *by)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_text(&args, by);
	return bi_sql_run("INSERT INTO batchinf.stop AS s (server, paused_by, install, database)"
					  " SELECT $1, $2, h.uuid, h.database FROM batchinf.here h"
					  " ON CONFLICT (server) DO UPDATE SET since = EXCLUDED.since,"
					  " paused_by = EXCLUDED.paused_by,"
					  " install = EXCLUDED.install, database = EXCLUDED.database"
					  " WHERE s.install <> EXCLUDED.install OR s.database <> EXCLUDED.database",
					  &args) > 0;
}

bool
bi_stop_clear(Oid server)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	return bi_sql_run("DELETE FROM batchinf.stop s USING batchinf.here h WHERE s.server = $1"
					  " AND s.install = h.uuid AND s.database = h.database", &args) > 0;
}
