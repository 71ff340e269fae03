/*
 * store/record.c: the table batchinf.record.
 *
 * Records are inserted in bulk, with their results if they are skipped, and are read in pieces.
 * Knows no provider.
 */
#include "postgres.h"

#include "base/texts.h"
#include "catalog/pg_type.h"
#include "store/record.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

/* A stage is written to the table when it has this many records or bytes. */
#define STAGE_RECORDS 1000
#define STAGE_BYTES (4 * 1024 * 1024)

/* No provider caches a prefix of fewer than about 1,000 tokens: requests that have fewer bytes than
 * this on average are not sorted. */
#define LONG_BYTES 4096

/* So much of an input decides about its place. */
#define SORTED_CHARACTERS "8192"

struct BiStage
{
	MemoryContext cxt;			/* reset at each flush */
	int64		job_id;
	BiGuard    *guards;			/* reads what is guarded; NULL: nothing is */
	const List *sources;		/* which columns are the key of the guarded row; NIL: key is */
	bool		has_columns;	/* a staged record has some */
	bool		has_copies;		/* a staged record is one */
	BiGuarded	rows[STAGE_RECORDS];	/* whose guards are to be read */
	int			n;
	size_t		bytes;
	Datum		seq[STAGE_RECORDS];
	Datum		chunk_id[STAGE_RECORDS];
	Datum		record_id[STAGE_RECORDS];
	Datum		key[STAGE_RECORDS];	/* text form of a text[] */
	Datum		input[STAGE_RECORDS];
	Datum		columns[STAGE_RECORDS];	/* as key */
	bool		no_columns[STAGE_RECORDS];
	Datum		value[STAGE_RECORDS];
	bool		no_value[STAGE_RECORDS];
	Datum		source_job[STAGE_RECORDS];
	Datum		source_seq[STAGE_RECORDS];
	bool		is_sent[STAGE_RECORDS];	/* it is no copy */
	Datum		guard[STAGE_RECORDS];
	bool		no_guard[STAGE_RECORDS];
	bool		skipped[STAGE_RECORDS];
	bool		no_key[STAGE_RECORDS];
	bool		no_input[STAGE_RECORDS];
};

/* The statement with more columns, and their values. */
#define INSERT_RECORDS(columns, values) \
	"INSERT INTO batchinf.record (job_id, seq, chunk_id, attempt, record_id, key, " columns \
	" input, input_hash)" \
	" SELECT $1, u.seq, u.chunk_id, 1, u.record_id, u.key::text[], " values "u.input," \
	" sha256(convert_to(u.input, 'UTF8'))" \
	" FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)" \
	"  AS u(seq, chunk_id, record_id, key, input, guard, columns, value, source_job, source_seq)"

BiStage *
bi_record_stage(MemoryContext cxt, int64 job_id, BiGuard *guards, const List *sources)
{
	BiStage    *stage = MemoryContextAllocZero(cxt, sizeof(BiStage));

	stage->cxt = AllocSetContextCreate(cxt, "batchinf stage", ALLOCSET_DEFAULT_SIZES);
	stage->job_id = job_id;
	stage->guards = guards;
	stage->sources = sources;
	return stage;
}

/* Returns the key of the row that is guarded for a record. */
static BiGuarded
guarded_row(const BiStage *stage, const BiStaged *record)
{
	List	   *key = NIL;
	ListCell   *cell;

	if (stage->sources == NIL)
		return (BiGuarded) {pstrdup(record->record_id), bi_texts_copy(record->key)};
	foreach(cell, stage->sources)
		key = lappend(key, list_nth(record->columns, lfirst_int(cell)));
	key = bi_texts_copy(key);
	return (BiGuarded) {linitial(key), list_length(key) > 1 ? key : NIL};
}

void
bi_record_add(BiStage *stage, const BiStaged *record)
{
	MemoryContext old = MemoryContextSwitchTo(stage->cxt);
	const char *input = record->input;
	int			i = stage->n++;

	stage->seq[i] = Int64GetDatum(record->seq);
	stage->chunk_id[i] = Int64GetDatum(record->chunk_id);
	stage->skipped[i] = record->chunk_id == 0;
	stage->record_id[i] = CStringGetTextDatum(record->record_id);
	stage->no_key[i] = record->key == NIL;
	stage->key[i] = record->key ? bi_texts_literal(record->key) : (Datum) 0;
	stage->no_input[i] = input == NULL;
	stage->input[i] = input ? CStringGetTextDatum(input) : (Datum) 0;
	stage->no_columns[i] = record->columns == NIL;
	stage->columns[i] = record->columns ? bi_texts_literal(record->columns) : (Datum) 0;
	stage->has_columns |= record->columns != NIL;
	stage->no_value[i] = record->value == NULL;
	stage->is_sent[i] = record->source_job == 0;
	stage->source_job[i] = Int64GetDatum(record->source_job);
	stage->source_seq[i] = Int64GetDatum(record->source_seq);
	stage->has_copies |= record->source_job != 0;
	if (record->value)
		stage->value[i] = UUIDPGetDatum(memcpy(palloc(sizeof(pg_uuid_t)), record->value,
											   sizeof(pg_uuid_t)));
	if (stage->guards)
		stage->rows[i] = guarded_row(stage, record);
	stage->bytes += strlen(record->record_id) + (input ? strlen(input) : 0);
	if (record->columns)
		stage->bytes += VARSIZE_ANY(DatumGetPointer(stage->columns[i]));
	MemoryContextSwitchTo(old);
	if (stage->n == STAGE_RECORDS || stage->bytes > STAGE_BYTES)
		bi_record_flush(stage);
}

/* Sets the guards of the staged records. */
static void
read_guards(BiStage *stage)
{
	if (stage->guards)
		bi_guard_read(stage->guards, stage->rows, stage->n);
	for (int i = 0; i < stage->n; i++)
	{
		stage->guard[i] = stage->guards ? stage->rows[i].guard : (Datum) 0;
		stage->no_guard[i] = stage->guard[i] == (Datum) 0;
	}
}

/* Columns that came with a later version are named where they are needed only: the tables may still
 * be those of an earlier one. */
static const char *
insert_statement(const BiStage *stage)
{
	if (stage->has_copies)
		return INSERT_RECORDS("guard, columns, value, source_job, source_seq,",
							  "u.guard, u.columns::text[], u.value, u.source_job, u.source_seq, ");
	if (stage->has_columns)
		return INSERT_RECORDS("guard, columns, value, ", "u.guard, u.columns::text[], u.value, ");
	return stage->guards ? INSERT_RECORDS("guard, ", "u.guard, ") : INSERT_RECORDS("", "");
}

void
bi_record_flush(BiStage *stage)
{
	MemoryContext old = MemoryContextSwitchTo(stage->cxt);
	BiArgs		args = {0};

	if (stage->n > 0)
	{
		read_guards(stage);
		bi_sql_arg_int8(&args, stage->job_id);
		bi_sql_arg_array(&args, INT8OID, stage->seq, NULL, stage->n);
		bi_sql_arg_array(&args, INT8OID, stage->chunk_id, stage->skipped, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->record_id, NULL, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->key, stage->no_key, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->input, stage->no_input, stage->n);
		bi_sql_arg_array(&args, BYTEAOID, stage->guard, stage->no_guard, stage->n);
		bi_sql_arg_array(&args, TEXTOID, stage->columns, stage->no_columns, stage->n);
		bi_sql_arg_array(&args, UUIDOID, stage->value, stage->no_value, stage->n);
		bi_sql_arg_array(&args, INT8OID, stage->source_job, stage->is_sent, stage->n);
		bi_sql_arg_array(&args, INT8OID, stage->source_seq, stage->is_sent, stage->n);
		bi_sql_run(insert_statement(stage), &args);
		args.n -= 5;
		if (memchr(stage->skipped, 1, stage->n))
			bi_sql_run("INSERT INTO batchinf.result (job_id, seq, attempt, outcome)"
					   " SELECT $1, u.seq, 1, 'skipped' FROM unnest($2, $3, $4, $5, $6) AS u(seq,"
					   " chunk_id, record_id, key, input)"
					   " WHERE u.chunk_id IS NULL", &args);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(stage->cxt);
	stage->n = 0;
	stage->bytes = 0;
}

void
bi_record_move_last(int64 from_chunk, int64 to_chunk, int n)
{
	BiArgs		args = {0};
	int64		after = 0;

	bi_sql_arg_int8(&args, from_chunk);
	bi_sql_arg_int4(&args, n);
	if (bi_sql_run("SELECT seq FROM batchinf.record WHERE chunk_id = $1 ORDER BY seq DESC OFFSET $2"
				   " LIMIT 1", &args) > 0)
		after = bi_sql_int8(0, 1);
	args.n = 1;
	bi_sql_arg_int8(&args, after);
	bi_sql_arg_int8(&args, to_chunk);
	bi_sql_run("UPDATE batchinf.record SET chunk_id = $3 WHERE chunk_id = $1 AND seq > $2", &args);
}

/* Returns in which order the chunk's requests are written, as in bi_record_order.  Only beginnings
 * are compared: what differs later has a long prefix in common. */
static const char *
order_of(const BiChunk *chunk)
{
	return chunk->bytes / Max(chunk->records, 1) < LONG_BYTES ? "seq"
		: "left(input, " SORTED_CHARACTERS ") COLLATE \"C\", seq";
}

int64 *
bi_record_order(MemoryContext cxt, const BiChunk *chunk, int64 *n)
{
	BiArgs		args = {0};
	int64	   *seqs;

	bi_sql_arg_int8(&args, chunk->id);
	*n = bi_sql_run(psprintf("SELECT seq FROM batchinf.record WHERE chunk_id = $1 ORDER BY %s",
							 order_of(chunk)), &args);
	seqs = MemoryContextAllocHuge(cxt, sizeof(int64) * (*n + 1));
	for (int64 i = 0; i < *n; i++)
		seqs[i] = bi_sql_int8(i, 1);
	return seqs;
}

void
bi_record_read(MemoryContext cxt, const BiChunk *chunk, const int64 *seqs, int n,
			   BiRecord *records)
{
	BiArgs		args = {0};
	Datum	   *items = palloc(sizeof(Datum) * (n + 1));

	for (int i = 0; i < n; i++)
		items[i] = Int64GetDatum(seqs[i]);
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_array(&args, INT8OID, items, NULL, n);
	/* The LIMIT makes it one look into the index for each, whatever the planner expects. */
	if (bi_sql_run("SELECT r.seq, r.input FROM unnest($2) WITH ORDINALITY u(seq, i), LATERAL"
				   " (SELECT r.seq, r.input FROM batchinf.record r"
				   "  WHERE r.job_id = $1 AND r.seq = u.seq LIMIT 1) r ORDER BY u.i", &args) != n)
		elog(ERROR, "chunk " INT64_FORMAT " has lost records", chunk->id);
	for (int i = 0; i < n; i++)
	{
		records[i].seq = bi_sql_int8(i, 1);
		records[i].input = bi_sql_text(cxt, i, 2);
	}
}

int64
bi_record_of_line(const BiChunk *chunk, int64 line)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, line - 1);
	if (line < 1 ||
		bi_sql_run(psprintf("SELECT seq FROM batchinf.record WHERE chunk_id = $1 ORDER BY %s"
							" OFFSET $2 LIMIT 1", order_of(chunk)), &args) == 0)
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
