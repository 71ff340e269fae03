/*
 * store/record.c: the table batchinf.record.
 *
 * Records go in by bulk, with their results where they are skipped, and are read in
 * pieces.  Knows no provider.  Called by api/planner.c and engine/.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/record.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

/* A stage is written out when it holds that many records or bytes. */
#define STAGE_RECORDS 1000
#define STAGE_BYTES (4 * 1024 * 1024)

struct BiStage
{
	MemoryContext cxt;			/* reset at each flush */
	int64		job_id;
	int			n;
	size_t		bytes;
	Datum		seq[STAGE_RECORDS];
	Datum		chunk_id[STAGE_RECORDS];
	Datum		record_id[STAGE_RECORDS];
	Datum		key[STAGE_RECORDS];	/* text form of a text[] */
	Datum		input[STAGE_RECORDS];
	bool		skipped[STAGE_RECORDS];
	bool		no_key[STAGE_RECORDS];
	bool		no_input[STAGE_RECORDS];
};

BiStage *
bi_record_stage(MemoryContext cxt, int64 job_id)
{
	BiStage    *stage = MemoryContextAllocZero(cxt, sizeof(BiStage));

	stage->cxt = AllocSetContextCreate(cxt, "batchinf stage", ALLOCSET_DEFAULT_SIZES);
	stage->job_id = job_id;
	return stage;
}

/* The text form of text[]: an array of arrays cannot be unnested row by row. */
static Datum
key_datum(const List *key)
{
	Datum	   *items = palloc(sizeof(Datum) * (list_length(key) + 1));
	ListCell   *cell;
	int			n = 0;
	FmgrInfo	output;
	ArrayType  *array;

	foreach(cell, key)
		items[n++] = CStringGetTextDatum(lfirst(cell));
	array = construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
	fmgr_info(F_ARRAY_OUT, &output);
	return CStringGetTextDatum(OutputFunctionCall(&output, PointerGetDatum(array)));
}

void
bi_record_add(BiStage *stage, int64 seq, int64 chunk_id, const char *record_id, const List *key, const char *input)
{
	MemoryContext old = MemoryContextSwitchTo(stage->cxt);
	int			i = stage->n++;

	stage->seq[i] = Int64GetDatum(seq);
	stage->chunk_id[i] = Int64GetDatum(chunk_id);
	stage->skipped[i] = chunk_id == 0;
	stage->record_id[i] = CStringGetTextDatum(record_id);
	stage->no_key[i] = key == NIL;
	stage->key[i] = key ? key_datum(key) : (Datum) 0;
	stage->no_input[i] = input == NULL;
	stage->input[i] = input ? CStringGetTextDatum(input) : (Datum) 0;
	stage->bytes += strlen(record_id) + (input ? strlen(input) : 0);
	MemoryContextSwitchTo(old);
	if (stage->n == STAGE_RECORDS || stage->bytes > STAGE_BYTES)
		bi_record_flush(stage);
}

void
bi_record_flush(BiStage *stage)
{
	MemoryContext old = MemoryContextSwitchTo(stage->cxt);
	BiArgs		args = {0};

	if (stage->n > 0)
	{
		bi_sql_arg_int8(&args, stage->job_id);
		bi_sql_arg_array(&args, INT8OID, stage->seq, NULL, stage->n);
		bi_sql_arg_array(&args, INT8OID, stage->chunk_id, stage->skipped, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->record_id, NULL, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->key, stage->no_key, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->input, stage->no_input, stage->n);
		bi_sql_run("INSERT INTO batchinf.record (job_id, seq, chunk_id, attempt, record_id, key, input, input_hash)"
				   " SELECT $1, u.seq, u.chunk_id, 1, u.record_id, u.key::text[], u.input, sha256(convert_to(u.input, 'UTF8'))"
				   " FROM unnest($2, $3, $4, $5, $6) AS u(seq, chunk_id, record_id, key, input)", &args);
		if (memchr(stage->skipped, 1, stage->n))
			bi_sql_run("INSERT INTO batchinf.result (job_id, seq, attempt, outcome)"
					   " SELECT $1, u.seq, 1, 'skipped' FROM unnest($2, $3, $4, $5, $6) AS u(seq, chunk_id, record_id, key, input)"
					   " WHERE u.chunk_id IS NULL", &args);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(stage->cxt);
	stage->n = 0;
	stage->bytes = 0;
}

int
bi_record_move_last(MemoryContext cxt, int64 from_chunk, int64 to_chunk, int n, BiRecord *records)
{
	BiArgs		args = {0};
	int64		after = 0;

	bi_sql_arg_int8(&args, from_chunk);
	bi_sql_arg_int4(&args, n);
	if (bi_sql_run("SELECT seq FROM batchinf.record WHERE chunk_id = $1 ORDER BY seq DESC OFFSET $2 LIMIT 1", &args) > 0)
		after = bi_sql_int8(0, 1);
	n = bi_record_read(cxt, from_chunk, after, n, records);
	args.n = 1;
	bi_sql_arg_int8(&args, after);
	bi_sql_arg_int8(&args, to_chunk);
	bi_sql_run("UPDATE batchinf.record SET chunk_id = $3 WHERE chunk_id = $1 AND seq > $2", &args);
	return n;
}

int
bi_record_read(MemoryContext cxt, int64 chunk_id, int64 after_seq, int limit, BiRecord *records)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_int8(&args, after_seq);
	bi_sql_arg_int4(&args, limit);
	n = bi_sql_run("SELECT seq, input FROM batchinf.record WHERE chunk_id = $1 AND seq > $2 ORDER BY seq LIMIT $3", &args);
	for (int64 i = 0; i < n; i++)
	{
		records[i].seq = bi_sql_int8(i, 1);
		records[i].input = bi_sql_text(cxt, i, 2);
	}
	return (int) n;
}

int64
bi_record_of_line(const BiChunk *chunk, int64 line)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, line - 1);
	if (line < 1 || bi_sql_run("SELECT seq FROM batchinf.record WHERE chunk_id = $1 ORDER BY seq OFFSET $2 LIMIT 1", &args) == 0)
		return 0;
	return bi_sql_int8(0, 1);
}

void
bi_record_bounds(const BiChunk *chunk, int64 *first, int64 *last)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_run("SELECT min(seq), max(seq) FROM batchinf.record WHERE job_id = $1", &args);
	*first = bi_sql_int8(0, 1);
	*last = bi_sql_int8(0, 2);
}
