/*
 * store/restore.c: the rows of replaced values are put back.
 *
 * A value is put back whole or not at all.  One DELETE removes its rows, as the replace did.  They
 * must be just those that the job has added: their number and the sum of their fingerprints say so,
 * of the versions that were deleted.  Then an INSERT adds the rows that the job has deleted, all
 * columns of them as they were; generated columns are computed again.
 *
 *     batchinf.replaced --read--> values --write--> DELETE, compare, INSERT --save--> forgotten
 *
 * Groups of values are tried together.  If one of them cannot be put back, the caller rolls the
 * group back and tries each alone.  Memory is bounded by a group, and by a few pieces of old rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "store/carry.h"
#include "store/extract.h"
#include "store/keydoc.h"
#include "store/note.h"
#include "store/oldrow.h"
#include "store/owner.h"
#include "store/replaced.h"
#include "store/restore.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* A group has this many values, and about this many rows, at most. */
#define GROUP_VALUES 100
#define GROUP_ROWS 2000

/* About this many bytes of old rows are read at once. */
#define READ_BYTES (4 * 1024 * 1024)

/* A value of the group.  In the context of the group. */
typedef struct Value
{
	int64		seq;
	BiResult	record;			/* its columns only: they have the value */
	BiPrintSum	found;			/* what the DELETE has deleted */
	int64		added;
	bytea	   *print;
	int64		removed;
	List	   *names;			/* as bi_writeback_noted */
	BiFate		fate;
} Value;

struct BiRestore
{
	const BiJob *job;
	BiTarget   *target;
	BiOldRows	rows;			/* how old rows are added */
	char	   *remove;
	MemoryContext group_cxt;
	int64		before;			/* the values from this seq on have been read */
	int			n;
	Value		values[GROUP_VALUES];
};

BiRestore *
bi_restore_open(const BiJob *job)
{
	BiRestore  *restore = palloc0(sizeof(BiRestore));

	restore->job = job;
	bi_replaced_lock(job);
	restore->target = bi_aim_open(job);
	restore->rows.relid = restore->target->relid;
	restore->rows.role = bi_owner_writer(job->owner, restore->target->relid, true);
	restore->rows.carried = bi_carry_read(job->spec.settings);
	restore->rows.by_number = job->spec.aim && restore->target->relid == job->target;
	restore->remove = bi_statement_remove_prints(restore->target);
	restore->group_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf restore",
											   ALLOCSET_DEFAULT_SIZES);
	restore->before = PG_INT64_MAX;
	return restore;
}

/* Reads row i of the last result.  False if it is not known what the value had. */
static bool
read_value(Value *value, int64 i)
{
	bool		isnull;
	Datum		print = bi_sql_datum(i, 4, &isnull);

	memset(value, 0, sizeof(Value));
	value->seq = bi_sql_int8(i, 1);
	value->record.columns = bi_sql_texts(CurrentMemoryContext, i, 2);
	value->added = bi_sql_int8(i, 3);
	value->removed = bi_sql_int8(i, 5);
	value->names = bi_sql_texts(CurrentMemoryContext, i, 6);
	if (isnull || value->record.columns == NIL || bi_sql_bool(i, 7))
		return false;
	value->print = DatumGetByteaPCopy(print);
	return true;
}

int
bi_restore_read(BiRestore *restore, BiFates *fates)
{
	BiArgs		args = {0};
	MemoryContext cxt;
	int64		found;

	MemoryContextReset(restore->group_cxt);
	restore->n = 0;
	bi_sql_arg_int8(&args, restore->job->id);
	bi_sql_arg_int8(&args, restore->before);
	bi_sql_arg_int4(&args, GROUP_VALUES);
	bi_sql_arg_int4(&args, GROUP_ROWS);
	/* The LIMIT makes it one look into the index for each value. */
	found = bi_sql_run("SELECT g.seq, r.columns, g.added, g.print, g.removed, g.columns,"
					   "  (SELECT j.results_removed_at IS NOT NULL FROM batchinf.job j"
					   "   WHERE j.job_id = $1)"
					   " FROM (SELECT p.*, sum(p.removed + p.added) OVER (ORDER BY p.seq DESC)"
					   "    - p.removed - p.added AS before FROM batchinf.replaced p"
					   "   WHERE p.job_id = $1 AND p.piece = 0 AND p.seq < $2"
					   "   ORDER BY p.seq DESC LIMIT $3) g,"
					   " LATERAL (SELECT r.columns FROM batchinf.record r WHERE r.job_id = $1"
					   "  AND r.seq = g.seq LIMIT 1) r"
					   " WHERE g.before < $4 ORDER BY g.seq DESC", &args);
	cxt = MemoryContextSwitchTo(restore->group_cxt);
	for (int64 i = 0; i < found; i++)
	{
		Value	   *value = &restore->values[restore->n];

		if (read_value(value, i))
			restore->n++;
		else
			bi_fate_count(fates, BI_FATE_UNKNOWN, value->added + value->removed);
		restore->before = value->seq;
	}
	MemoryContextSwitchTo(cxt);
	return found == 0 ? -1 : restore->n;
}

/* Returns the keys of the values as a document. */
static char *
build_keys(const BiRestore *restore, const Value *values, int n)
{
	const BiTarget *target = restore->target;
	StringInfoData doc;
	ListCell   *cell;

	initStringInfo(&doc);
	for (int i = 0; i < n; i++)
	{
		appendStringInfo(&doc, "%c{\"seq\":%d", i == 0 ? '[' : ',', i + 1);
		foreach(cell, target->keys)
		{
			const BiTargetColumn *key = lfirst(cell);
			StringInfoData text;

			initStringInfo(&text);
			bi_extract_carried(&text, target, list_nth(target->columns, key->place),
							   &values[i].record);
			bi_keydoc_append_value(&doc, key, foreach_current_index(cell), text.data);
		}
		appendStringInfoChar(&doc, '}');
	}
	appendStringInfoChar(&doc, ']');
	return doc.data;
}

/* Adds a noted fingerprint: a JSON array of 32 hex digits. */
static void
add_print(Value *value, const char *text)
{
	uint8		print[16];

	if (text == NULL || strlen(text) != 36)
		elog(ERROR, "the fingerprint of a row cannot be read");
	hex_decode(text + 2, 32, (char *) print);
	bi_replaced_sum(&value->found, print);
}

/* Deletes the rows of n values, and finds what these were. */
static void
remove_rows(BiRestore *restore, Value *values, int n)
{
	BiNotes    *notes = bi_note_new(true);
	BiArgs		args = {0};
	int			number;
	char	   *text;

	bi_sql_arg(&args, JSONOID, CStringGetTextDatum(build_keys(restore, values, n)), false);
	bi_sql_arg(&args, BYTEAARRAYOID, (Datum) 0, true);
	bi_sql_arg_int8(&args, bi_note_number(notes));
	bi_note_open(notes);
	PG_TRY();
	{
		(void) bi_oldrow_run(&restore->rows, restore->remove, &args);
	}
	PG_FINALLY();
	{
		bi_note_close(notes);
	}
	PG_END_TRY();
	for (int i = 0; i < n; i++)
		memset(&values[i].found, 0, sizeof(BiPrintSum));
	while (bi_note_next(notes, &number, &text))
	{
		add_print(&values[number - 1], text);
		if (text)
			pfree(text);
	}
	bi_note_end(notes);
}

/* Raises an error if one of the values had not the rows that were written. */
static void
check_rows(Value *values, int n)
{
	bool		same = true;

	for (int i = 0; i < n; i++)
	{
		Value	   *value = &values[i];

		if (bi_replaced_equals(&value->found, value->added, value->print))
			continue;
		same = false;
		value->fate = value->found.rows == 0 ? BI_FATE_GONE : BI_FATE_CHANGED;
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("the rows of a value have changed")));
}

/* Returns the one of n values with that seq. */
static const Value *
find_value(const Value *values, int n, int64 seq)
{
	for (int i = 0; i < n; i++)
		if (values[i].seq == seq)
			return &values[i];
	elog(ERROR, "value " INT64_FORMAT " was not asked for", seq);
	return NULL;
}

/* Adds the old rows of the next pieces, after that one.  Returns how many rows; sets *over at the
 * end. */
static int64
put_pieces(const BiRestore *restore, const Value *values, int n, int64 *seq, int64 *piece,
		   bool *over)
{
	BiOldAddition *addition = bi_oldrow_begin(&restore->rows);
	BiArgs		args = {0};
	Datum	   *seqs = palloc(sizeof(Datum) * (n + 1));
	int64		found;
	int64	   *of;
	char	  **old;

	for (int i = 0; i < n; i++)
		seqs[i] = Int64GetDatum(values[i].seq);
	bi_sql_arg_int8(&args, restore->job->id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	bi_sql_arg_int8(&args, *seq);
	bi_sql_arg_int8(&args, *piece);
	bi_sql_arg_int4(&args, READ_BYTES);
	found = bi_sql_run("SELECT g.seq, g.piece, g.old FROM (SELECT p.seq, p.piece, p.old,"
					   "   sum(octet_length(p.old)) OVER (ORDER BY p.seq, p.piece)"
					   "    - octet_length(p.old) AS before"
					   "  FROM batchinf.replaced p WHERE p.job_id = $1 AND p.seq = ANY ($2)"
					   "   AND (p.seq, p.piece) > ($3, $4) ORDER BY p.seq, p.piece LIMIT 100) g"
					   " WHERE COALESCE(g.before, 0) < $5 ORDER BY g.seq, g.piece", &args);
	*over = found == 0;
	of = palloc(sizeof(int64) * (found + 1));
	old = palloc(sizeof(char *) * (found + 1));
	for (int64 i = 0; i < found; i++)
	{
		*seq = of[i] = bi_sql_int8(i, 1);
		*piece = bi_sql_int8(i, 2);
		old[i] = bi_sql_text(CurrentMemoryContext, i, 3);
	}
	for (int64 i = 0; i < found; i++)
		if (old[i])
			bi_oldrow_add(addition, find_value(values, n, of[i])->names, old[i]);
	return bi_oldrow_end(addition);
}

/* Adds the old rows of n values. */
static void
put_rows(const BiRestore *restore, const Value *values, int n)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf old rows",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	int64		seq = -1;
	int64		piece = 0;
	int64		missing = 0;
	bool		over;

	for (int i = 0; i < n; i++)
		missing += values[i].removed;
	do
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(cxt);
		missing -= put_pieces(restore, values, n, &seq, &piece, &over);
	} while (!over);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	if (missing != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the old rows of a value are not all there")));
}

void
bi_restore_write(BiRestore *restore, int first, int n)
{
	Value	   *values = &restore->values[first];

	for (int i = 0; i < n; i++)
		values[i].fate = BI_FATE_REFUSED;
	remove_rows(restore, values, n);
	check_rows(values, n);
	put_rows(restore, values, n);
	for (int i = 0; i < n; i++)
		values[i].fate = BI_FATE_REVERTED;
}

bool
bi_restore_refuse(BiRestore *restore, int value)
{
	Value	   *refused = &restore->values[value];

	if (refused->fate == BI_FATE_REVERTED)
		refused->fate = BI_FATE_REFUSED;
	return refused->fate == BI_FATE_REFUSED;
}

void
bi_restore_save(BiRestore *restore, BiFates *fates)
{
	Datum	   *seqs = palloc(sizeof(Datum) * (restore->n + 1));
	int			n = 0;

	for (int i = 0; i < restore->n; i++)
	{
		const Value *value = &restore->values[i];

		bi_fate_count(fates, value->fate, value->added + value->removed);
		if (value->fate == BI_FATE_REVERTED)
			seqs[n++] = Int64GetDatum(value->seq);
	}
	if (n > 0)
		bi_replaced_forget(restore->job->id, seqs, n);
}

char *
bi_restore_followers(const BiRestore *restore)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, bi_owner_followers(restore->target->relid))
	{
		char	   *name = bi_target_name(lfirst_oid(cell));

		if (name)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", name);
	}
	return names.len > 0 ? names.data : NULL;
}
