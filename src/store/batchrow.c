/*
 * store/batchrow.c: the table batchinf.batch: the tries of a chunk.
 *
 * Each try has a row, so that an id which was ever ours is found by one look into an index: such
 * a batch is never taken for the lost one of another chunk.  batchinf.chunk.tries is the number
 * of the current try.
 *
 * A row appears when its try begins and stays as long as its chunk.  It is written by
 * bi_chunk_save only.  The row of a twin (a create call had its effect twice) gets the next free
 * number; no create call ever carries that number.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/batchrow.h"
#include "store/sql.h"
#include "utils/builtins.h"

/* Returns refs of a column that is text[]: name, value, name, value, … */
static List *
read_refs(int64 row, int col)
{
	List	   *texts = bi_sql_texts(CurrentMemoryContext, row, col);
	List	   *refs = NIL;

	for (int i = 0; i + 1 < list_length(texts); i += 2)
		refs = bi_ref_set(refs, list_nth(texts, i), list_nth(texts, i + 1));
	return refs;
}

BiBatch *
bi_batchrow_read(int64 row, int first)
{
	BiBatch    *batch = palloc0(sizeof(BiBatch));

	batch->try = (int) bi_sql_int8(row, first);
	batch->id = bi_sql_text(CurrentMemoryContext, row, first + 1);
	batch->end = bi_batch_end_parse(bi_sql_text(CurrentMemoryContext, row, first + 2));
	batch->account = bi_sql_text(CurrentMemoryContext, row, first + 3);
	batch->claimed_at = bi_sql_time(row, first + 4);
	batch->submitted_at = bi_sql_time(row, first + 5);
	batch->refs = read_refs(row, first + 6);
	batch->newest = Max((int) bi_sql_int8(row, first + 7), batch->try);
	batch->buried = bi_sql_texts(CurrentMemoryContext, row, first + 8);
	return batch;
}

/* Adds refs as an argument of the same form. */
static void
arg_refs(BiArgs *args, const List *refs)
{
	Datum	   *items = palloc(sizeof(Datum) * (2 * list_length(refs) + 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, refs)
	{
		BiRef	   *ref = lfirst(cell);

		items[n++] = CStringGetTextDatum(ref->name);
		items[n++] = CStringGetTextDatum(ref->value);
	}
	bi_sql_arg_array(args, TEXTOID, items, NULL, n);
}

/* Writes the row of the current try.  Most saves, such as a poll's, change nothing here: then the
 * row is not even locked, as ON CONFLICT would do.  True if something has changed. */
static bool
save_current(int64 chunk_id, const BiBatch *batch)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_int4(&args, batch->try);
	bi_sql_arg_text(&args, batch->id);
	bi_sql_arg_text(&args, bi_batch_end_name(batch->end));
	arg_refs(&args, batch->refs);
	bi_sql_arg_text(&args, batch->account);
	bi_sql_arg_time(&args, batch->claimed_at);
	return bi_sql_run("INSERT INTO batchinf.batch AS b (chunk_id, try, batch_id, batch_end, refs,"
					  "  account, claimed_at, submitted_at, ended_at)"
					  " SELECT $1, $2, $3, $4, jsonb_object($5), $6, $7,"
					  "  CASE WHEN $3 IS NOT NULL THEN now() END,"
					  "  CASE WHEN $4 IS NOT NULL THEN now() END"
					  " WHERE NOT EXISTS (SELECT FROM batchinf.batch o"
					  "  WHERE o.chunk_id = $1 AND o.try = $2 AND"
					  "   (o.batch_id, o.batch_end, o.refs, o.account, o.claimed_at)"
					  "   IS NOT DISTINCT FROM ($3, $4, jsonb_object($5), $6, $7))"
					  " ON CONFLICT (chunk_id, try) DO UPDATE SET batch_id = EXCLUDED.batch_id,"
					  "  batch_end = EXCLUDED.batch_end, refs = EXCLUDED.refs,"
					  "  account = EXCLUDED.account, claimed_at = EXCLUDED.claimed_at,"
					  "  submitted_at = CASE WHEN EXCLUDED.batch_id <> COALESCE(b.batch_id, '')"
					  "   THEN EXCLUDED.submitted_at ELSE b.submitted_at END,"
					  "  ended_at = CASE WHEN EXCLUDED.batch_end IS NOT NULL"
					  "   THEN COALESCE(b.ended_at, EXCLUDED.ended_at) END", &args) > 0;
}

/* Ends the tries before the current one.  One that has an id was refused for now: it has failed. */
static void
end_earlier(int64 chunk_id, const BiBatch *batch)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_int4(&args, batch->try);
	bi_sql_run("UPDATE batchinf.batch SET ended_at = now(),"
			   " batch_end = CASE WHEN batch_id IS NOT NULL THEN 'failed' END"
			   " WHERE chunk_id = $1 AND try < $2 AND ended_at IS NULL", &args);
}

/* Inserts rows of twins.  Nobody follows them, so for us they have ended. */
static void
insert_twins(int64 chunk_id, const BiBatch *batch)
{
	int			n = list_length(batch->twins);
	Datum	   *ids = palloc(sizeof(Datum) * n);
	BiArgs		args = {0};

	for (int i = 0; i < n; i++)
		ids[i] = CStringGetTextDatum(list_nth(batch->twins, i));
	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_array(&args, TEXTOID, ids, NULL, n);
	bi_sql_arg_time(&args, batch->claimed_at);
	bi_sql_run("INSERT INTO batchinf.batch (chunk_id, try, batch_id, claimed_at, submitted_at,"
			   " ended_at)"
			   " SELECT $1, (SELECT max(o.try) FROM batchinf.batch o"
			   " WHERE o.chunk_id = $1) + t.n, t.id,"
			   "  $3, now(), now() FROM unnest($2) WITH ORDINALITY t(id, n)"
			   " WHERE NOT EXISTS (SELECT FROM batchinf.batch o WHERE o.chunk_id = $1"
			   " AND o.batch_id = t.id)",
			   &args);
}

void
bi_batchrow_save(int64 chunk_id, const BiBatch *batch)
{
	if (batch->try == 0)
		return;
	/* The save that begins a try changes its row, so earlier ones end then. */
	if (save_current(chunk_id, batch) && batch->try > 1)
		end_earlier(chunk_id, batch);
	if (batch->twins != NIL)
		insert_twins(chunk_id, batch);
}

bool
bi_batchrow_is_known(const char *id)
{
	BiArgs		args = {0};

	bi_sql_arg_text(&args, id);
	return bi_sql_run("SELECT FROM batchinf.batch WHERE batch_id = $1 LIMIT 1", &args) > 0;
}
