/*
 * store/outlook.c: how a server does: how long its batches take, and how busy it is.
 *
 * Times are of batchinf.history, which all jobs of a server share.
 */
#include "postgres.h"

#include "store/outlook.h"
#include "store/sql.h"

void
bi_outlook_read(Oid server, const char *model, Oid role, BiOutlook *outlook)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_text(&args, model);
	bi_sql_arg_oid(&args, role);
	bi_sql_run("SELECT o.batches, o.hours_p50, o.hours_p95, o.hours_p99, o.late, o.answers,"
			   " o.failed, o.in_use, o.waiting, o.paused"
			   " FROM batchinf.outlook($1, $2, $3) o", &args);
	outlook->batches = bi_sql_int8(0, 1);
	outlook->hours_p50 = bi_sql_numeric(0, 2);
	outlook->hours_p95 = bi_sql_numeric(0, 3);
	outlook->hours_p99 = bi_sql_numeric(0, 4);
	outlook->late = bi_sql_numeric(0, 5);
	outlook->answers = bi_sql_int8(0, 6);
	outlook->failed = bi_sql_numeric(0, 7);
	outlook->in_use = bi_sql_int8(0, 8);
	outlook->waiting = bi_sql_int8(0, 9);
	outlook->paused = bi_sql_text(CurrentMemoryContext, 0, 10);
}
