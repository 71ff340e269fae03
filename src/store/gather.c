/*
 * store/gather.c: joins small chunks of a job into one that is large enough for a batch.
 *
 * Some providers refuse a batch of few requests.  What is sent again comes in small chunks,
 * one for each chunk that left some.
 */
#include "postgres.h"

#include "store/gather.h"
#include "store/sql.h"

/* A small chunk that waits to be sent again, and whose sending has not begun. */
#define IS_SMALL "state = 'planned' AND tries = 0 AND attempt > 1 AND holder_pid IS NULL" \
				 " AND records < $3 AND copies IS NULL"

static void
take_over(const BiChunk *chunk, int64 small)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, small);
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_int4(&args, chunk->attempts_left);
	bi_sql_arg_int8(&args, chunk->records);
	bi_sql_arg_int8(&args, chunk->bytes);
	bi_sql_arg_int8(&args, chunk->tokens);
	/* The number of an attempt may skip some: the newest result counts. */
	bi_sql_run("UPDATE batchinf.record SET chunk_id = $1, attempt = $3 WHERE chunk_id IN ($1, $2)",
			   &args);
	bi_sql_run("UPDATE batchinf.chunk SET source_chunk = $1 WHERE source_chunk = $2", &args);
	bi_sql_run("WITH small AS (DELETE FROM batchinf.chunk WHERE chunk_id = $2"
			   "  RETURNING requests, bytes_up, bytes_down)"
			   " UPDATE batchinf.chunk c SET attempt = $3, attempts_left = $4, records = $5,"
			   "  bytes = $6, tokens = $7, requests = c.requests + s.requests,"
			   "  bytes_up = c.bytes_up + s.bytes_up, bytes_down = c.bytes_down + s.bytes_down"
			   " FROM small s WHERE c.chunk_id = $1", &args);
}

void
bi_gather_small(BiChunk *chunk, int64 few, int64 max_records, int64 max_bytes)
{
	BiArgs		args = {0};
	int64		n;
	BiChunk    *small;

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, few);
	n = bi_sql_run("SELECT chunk_id, records, bytes, tokens, attempt, attempts_left"
				   " FROM batchinf.chunk"
				   " WHERE job_id = $1 AND chunk_id <> $2 AND " IS_SMALL
				   " ORDER BY chunk_id FOR UPDATE SKIP LOCKED", &args);
	small = palloc(sizeof(BiChunk) * (n + 1));
	for (int64 i = 0; i < n; i++)
	{
		small[i].id = bi_sql_int8(i, 1);
		small[i].records = bi_sql_int8(i, 2);
		small[i].bytes = bi_sql_int8(i, 3);
		small[i].tokens = bi_sql_int8(i, 4);
		small[i].attempt = (int) bi_sql_int8(i, 5);
		small[i].attempts_left = (int) bi_sql_int8(i, 6);
	}
	for (int64 i = 0; i < n; i++)
	{
		if (chunk->records + small[i].records > max_records ||
			chunk->bytes + small[i].bytes > max_bytes)
			continue;
		chunk->records += small[i].records;
		chunk->bytes += small[i].bytes;
		chunk->tokens += small[i].tokens;
		chunk->attempt = Max(chunk->attempt, small[i].attempt);
		chunk->attempts_left = Min(chunk->attempts_left, small[i].attempts_left);
		take_over(chunk, small[i].id);
	}
}

/* Not other small chunks: they would wait for each other.  Nor copies, which may wait for this
 * one. */
bool
bi_gather_more(const BiChunk *chunk, int64 few)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, few);
	return bi_sql_run("SELECT FROM batchinf.chunk WHERE job_id = $1 AND chunk_id <> $2"
					  " AND state NOT " BI_CHUNK_SETTLED
					  " AND NOT (state = 'planned' AND records < $3) AND copies IS NULL LIMIT 1",
					  &args) > 0;
}
