/*
 * store/open.c: chunks whose batch is open at the provider and waits for nothing here.
 *
 * Thousands of these may be open for a day.  Each question is an index scan that reads only the
 * rows that it returns.  The column next_step_at of such a chunk is its version: each write of the
 * chunk sets it anew, and nothing writes it in between.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/open.h"
#include "store/sql.h"

/* As in the index chunk_quiet. */
#define IS_OPEN "c.state IN ('submitted', 'running') AND c.wait_kind IS NULL"

#define OURS \
	" JOIN batchinf.job j ON j.job_id = c.job_id" \
	" JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database"

List *
bi_open_new(MemoryContext cxt, TimestampTz since, TimestampTz until)
{
	BiArgs		args = {0};
	List	   *found = NIL;
	int64		n;
	MemoryContext old;

	bi_sql_arg_time(&args, since);
	bi_sql_arg_time(&args, until);
	n = bi_sql_run("SELECT c.chunk_id, j.owner, j.server, c.next_step_at FROM batchinf.chunk c"
				   OURS " WHERE " IS_OPEN " AND c.next_step_at > $1 AND c.next_step_at <= $2"
				   " ORDER BY c.next_step_at", &args);
	old = MemoryContextSwitchTo(cxt);
	for (int64 i = 0; i < n; i++)
	{
		BiOpen	   *one = palloc(sizeof(BiOpen));

		one->id = bi_sql_int8(i, 1);
		one->owner = bi_sql_int8(i, 2);
		one->server = bi_sql_int8(i, 3);
		one->base = bi_sql_time(i, 4);
		found = lappend(found, one);
	}
	MemoryContextSwitchTo(old);
	return found;
}

TimestampTz
bi_open_next(TimestampTz after)
{
	BiArgs		args = {0};

	bi_sql_arg_time(&args, after);
	bi_sql_run("SELECT min(c.next_step_at) FROM batchinf.chunk c"
			   " WHERE " IS_OPEN " AND c.next_step_at > $1", &args);
	return bi_sql_time(0, 1);
}

/* Reads a row of bi_open_read into the current context. */
static BiOpenNow *
read_now(int64 row)
{
	BiOpenNow  *one = palloc0(sizeof(BiOpenNow));
	BiDue	   *due = &one->due;
	TimestampTz until;

	due->chunk = bi_chunk_read(CurrentMemoryContext, row);
	due->wish = BI_WISH_NONE;
	due->step = true;
	due->server = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 1);
	due->owner = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 2);
	due->server_failures = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 3);
	due->base = bi_sql_time(row, BI_CHUNK_NCOLUMNS + 4);
	until = bi_sql_time(row, BI_CHUNK_NCOLUMNS + 5);
	one->paused_until = until == DT_NOEND ? 0 : until;
	one->held = bi_sql_bool(row, BI_CHUNK_NCOLUMNS + 6);
	return one;
}

List *
bi_open_read(MemoryContext cxt, const int64 *ids, int n)
{
	BiArgs		args = {0};
	Datum	   *items = palloc(sizeof(Datum) * n);
	List	   *found = NIL;
	int64		rows;
	MemoryContext old;

	for (int i = 0; i < n; i++)
		items[i] = Int64GetDatum(ids[i]);
	bi_sql_arg_array(&args, INT8OID, items, NULL, n);
	rows = bi_sql_run("SELECT " BI_CHUNK_COLUMNS ", j.server, j.owner, COALESCE(p.failures, 0),"
					  " c.next_step_at, p.until,"
					  " COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false)"
					  " FROM batchinf.chunk c" OURS BI_BATCHROW_JOIN
					  " LEFT JOIN batchinf.pause_here p ON p.server = j.server"
					  "  AND p.owner = j.owner"
					  " WHERE c.chunk_id = ANY ($1) AND " IS_OPEN " AND j.cancelled_at IS NULL"
					  " AND (j.deadline IS NULL OR j.deadline > now())", &args);
	old = MemoryContextSwitchTo(cxt);
	for (int64 i = 0; i < rows; i++)
		found = lappend(found, read_now(i));
	MemoryContextSwitchTo(old);
	return found;
}

void
bi_open_claim(const BiChunk *chunk, BiChunkState from, TimestampTz base)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_state_name(from));
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_text(&args, chunk->intent);
	bi_sql_arg_time(&args, base);
	bi_sql_arg_time(&args, MyStartTimestamp);
	if (bi_sql_run("UPDATE batchinf.chunk c SET holder_pid = pg_backend_pid(), holder_start = $6"
				   " WHERE c.chunk_id = $1 AND c.state = $2 AND c.attempt = $3 AND c.intent = $4"
				   " AND c.next_step_at = $5 AND c.wait_kind IS NULL"
				   " AND NOT COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false)",
				   &args) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT
						" was changed by another process", chunk->id, chunk->job_id)));
}
