/*
 * store/writeback.c: writes a group of rows with a few statements, run with the rights of the job's
 * owner: one UPDATE; or one INSERT; or for an upsert an UPDATE of the rows that are there and an
 * INSERT of the others; or for a replace a DELETE and an INSERT.
 *
 * The rows travel as one JSON document; json_to_recordset turns each member into its column's
 * type through that type's own input, arrays and row types included.  extract.c finds the
 * values, statement.c writes the text of the UPDATE, owner.c switches the role.
 */
#include "postgres.h"

#include "base/steady.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/addition.h"
#include "store/aim.h"
#include "store/carry.h"
#include "store/note.h"
#include "store/owner.h"
#include "store/rowdoc.h"
#include "store/sql.h"
#include "store/statement.h"
#include "store/target.h"
#include "store/writeback.h"
#include "store/written.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

/* Beyond about this many bytes old values of one transaction are not kept: the items of one output
 * may overwrite any number of rows. */
#define KEPT_BYTES ((size_t) 4 * BI_NOTE_BYTES)

/* An open target.  Lives as long as the group that is written; only bi_writeback_open writes it. */
struct BiWriteback
{
	Oid			role;			/* with whose rights the rows are written */
	BiTarget   *target;
	char	   *update;			/* the UPDATE; NULL if there is none */
	char	   *insert;			/* INSERT of all rows; of an upsert, of those that are not there */
	List	   *row_key;		/* the primary key that rows return; NIL: none.  Not of an update */
	bool		printed;		/* the INSERT of all rows returns fingerprints */
	char	   *repeated;		/* of an upsert: SELECT of rows whose key a later one has */
	char	   *remove;			/* of a replace: the DELETE */
	List	   *removed;		/* the columns that it notes, as bi_writeback_noted; NIL: none */
	char	   *look;			/* a SELECT of rows that the UPDATE has not touched */
	char	   *too_costly;		/* why no path is applied; NULL if all are.  Not NULL only for a job
								 * of an older version, which did not count the cost */
	BiCarried  *carried;		/* the job's custom settings */
	bool		noted;			/* the UPDATE notes old values; what it and the INSERT of an
								 * upsert write returns its fingerprint */
	BiNotes    *notes;			/* the place for old values while it runs; else NULL */
	MemoryContext cxt;			/* of old values, fingerprints and keys */
	size_t		kept;			/* bytes of old values */
};

/* True if the role may read what it is to write. */
static bool
may_read(const BiTarget *target, Oid role)
{
	ListCell   *cell;

	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		if (!bi_target_has_right(target->relid, column->name, role, ACL_SELECT))
			return false;
	}
	return true;
}

/* Returns the names that are not NULL. */
static List *
present_names(const List *names)
{
	List	   *present = NIL;
	ListCell   *cell;

	foreach(cell, names)
		if (lfirst(cell))
			present = lappend(present, lfirst(cell));
	return present;
}

/*
 * Sets which columns of deleted rows are noted: all of them, if they can be put back.  The role
 * must be able to read them.  A child table by inheritance has more columns than these.
 */
static void
choose_removed(BiWriteback *wb)
{
	Oid			relid = wb->target->relid;
	List	   *names = bi_target_row_names(relid);
	ListCell   *cell;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE && has_subclass(relid))
		return;
	foreach(cell, names)
		if (lfirst(cell) && !bi_target_has_right(relid, lfirst(cell), wb->role, ACL_SELECT))
			return;
	wb->removed = names;
}

/* Sets what statements return of the rows that they write, so that it can be put back.  A RETURNING
 * fails for a row that policies hide from the role. */
static void
choose_noted(BiWriteback *wb)
{
	Oid			relid = wb->target->relid;
	BiWriteMode mode = wb->target->write_mode;
	bool		is_hidden = check_enable_rls(relid, wb->role, true) == RLS_ENABLED;

	if (!may_read(wb->target, wb->role) || !bi_note_may(wb->role))
		return;
	if (mode != BI_WRITE_MODE_UPDATE && (mode == BI_WRITE_MODE_UPSERT || !is_hidden))
		wb->row_key = bi_written_key(relid, wb->role);
	wb->noted = mode == BI_WRITE_MODE_UPDATE ||
		(mode == BI_WRITE_MODE_UPSERT && wb->row_key != NIL);
	wb->printed = wb->row_key != NIL;
	if (mode == BI_WRITE_MODE_REPLACE && !is_hidden)
		choose_removed(wb);
	wb->printed |= wb->removed != NIL;
}

static void
prepare(BiWriteback *wb)
{
	const BiTarget *target = wb->target;

	switch (target->write_mode)
	{
		case BI_WRITE_MODE_UPSERT:
			wb->insert = wb->noted ? bi_addition_add_noted(target, wb->row_key)
				: bi_addition_add(target);
			wb->repeated = bi_addition_repeated(target);
			/* FALLTHROUGH */
		case BI_WRITE_MODE_UPDATE:
			wb->update = bi_statement_update(target, wb->noted, wb->row_key);
			wb->look = bi_statement_look(target, may_read(target, wb->role));
			break;
		case BI_WRITE_MODE_REPLACE:
			wb->remove = bi_statement_remove(target, present_names(wb->removed));
			/* FALLTHROUGH */
		case BI_WRITE_MODE_INSERT:
			wb->insert = bi_addition_insert(target, wb->printed, wb->row_key);
			break;
	}
}

BiWriteback *
bi_writeback_open(const BiJob *job)
{
	BiWriteback *wb = palloc0(sizeof(BiWriteback));
	char	   *owner = GetUserNameFromId(job->owner, true);

	if (owner == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the owner of the batch job does not exist any more")));
	wb->target = bi_aim_open(job);
	wb->role = bi_owner_writer(job->owner, wb->target->relid,
							   wb->target->write_mode == BI_WRITE_MODE_REPLACE);
	wb->cxt = CurrentMemoryContext;
	choose_noted(wb);
	prepare(wb);
	wb->too_costly = bi_target_refuse_paths(wb->target);
	wb->carried = bi_carry_read(job->spec.settings);
	return wb;
}

const List *
bi_writeback_noted(const BiWriteback *wb)
{
	return wb->removed;
}

void
bi_writeback_keep_in(BiWriteback *wb, MemoryContext cxt)
{
	wb->cxt = cxt;
}

bool
bi_writeback_must_find(const BiWriteback *wb, const BiResult *result)
{
	return bi_extract_is_needed(wb->target, &result->answer);
}

BiFit
bi_writeback_find(const BiWriteback *wb, MemoryContext cxt, BiResult *result, char **why)
{
	if (wb->too_costly == NULL)
		return bi_extract_values(wb->target, cxt, result, why);
	*why = wb->too_costly;
	return BI_FIT_TOO_COSTLY;
}

static int
compare_seq(const void *a, const void *b)
{
	const BiResult *x = *(BiResult *const *) a;
	const BiResult *y = *(BiResult *const *) b;

	if (x->seq != y->seq)
		return (x->seq > y->seq) - (x->seq < y->seq);
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

BiWriteback *
bi_writeback_view(BiTarget *target)
{
	BiWriteback *wb = palloc0(sizeof(BiWriteback));

	wb->target = target;
	wb->too_costly = bi_target_refuse_paths(target);
	return wb;
}

/* Adds the guards of the rows. */
static void
arg_guards(BiArgs *args, BiResult *const *results, int n)
{
	Datum	   *guards = palloc0(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc0(sizeof(bool) * (n + 1));

	for (int i = 0; i < n; i++)
	{
		nulls[i] = results[i]->guard == NULL;
		if (results[i]->guard)
			guards[i] = PointerGetDatum(results[i]->guard);
	}
	bi_sql_arg_array(args, BYTEAOID, guards, nulls, n);
}

/* Runs a statement that takes these rows as a document.  Returns how many rows it returns. */
static int64
run_with_rows(const BiWriteback *wb, const char *sql, BiResult **results, int n, int lock_ms)
{
	BiArgs		args = {0};

	bi_sql_arg(&args, JSONOID,
			   CStringGetTextDatum(bi_rowdoc_build(wb->target, results, n, sql == wb->remove)),
			   false);
	arg_guards(&args, results, n);
	if (wb->notes)
		bi_sql_arg_int8(&args, bi_note_number(wb->notes));
	return bi_owner_run(wb->role, wb->carried, sql, &args, lock_ms);
}

/* Runs a statement that has this place for notes; NULL: it notes nothing. */
static int64
run_noted(BiWriteback *wb, BiNotes *notes, const char *sql, BiResult **results, int n, int lock_ms)
{
	volatile int64 found = 0;

	if (notes == NULL)
		return run_with_rows(wb, sql, results, n, lock_ms);
	wb->notes = notes;
	bi_note_open(notes);
	PG_TRY();
	{
		found = run_with_rows(wb, sql, results, n, lock_ms);
	}
	PG_FINALLY();
	{
		bi_note_close(notes);
		wb->notes = NULL;
	}
	PG_END_TRY();
	return found;
}

/* Keeps the fingerprint of a row that was written, which is in column col, and its key, which
 * follows it.  Under steady settings: the key becomes text. */
static void
keep_print(const BiWriteback *wb, BiResult *result, int64 row, int col)
{
	bool		isnull;
	Datum		print = bi_sql_datum(row, col, &isnull);

	result->print = isnull ? NULL : DatumGetByteaPCopy(print);
	result->row_key = NIL;
	for (int k = 0; !isnull && k < list_length(wb->row_key); k++)
		result->row_key = lappend(result->row_key, bi_sql_text(wb->cxt, row, col + 1 + k));
}

/* Keeps what the UPDATE, or the INSERT of an upsert, has returned of a row. */
static void
keep_old(BiWriteback *wb, const char *sql, BiResult *result, int64 row)
{
	bool		isnull;
	Datum		note;

	if (sql == wb->insert)
	{
		keep_print(wb, result, row, 2);
		return;
	}
	note = bi_sql_datum(row, 2, &isnull);
	if (isnull || wb->kept > KEPT_BYTES)
		return;
	keep_print(wb, result, row, 3);
	if (result->print == NULL)
		return;
	result->old = TextDatumGetCString(note);
	wb->kept += strlen(result->old);
}

/* Notes that the statement has written the row.  Of several rows with one key nothing is known. */
static void
note_written(BiWriteback *wb, const char *sql, BiResult *result, int64 row)
{
	bool		several = result->write_state == BI_WRITE_WRITTEN;
	MemoryContext cxt = MemoryContextSwitchTo(wb->cxt);

	result->old = NULL;
	result->print = NULL;
	result->row_key = NIL;
	if (wb->noted && !several)
		keep_old(wb, sql, result, row);
	result->write_state = BI_WRITE_WRITTEN;
	MemoryContextSwitchTo(cxt);
}

/* Runs a statement that returns the numbers of the rows that it has written.  Moves those of
 * results that it has not written to the front, and returns how many they are. */
static int
write_once(BiWriteback *wb, const char *sql, BiResult **results, int n, int lock_ms)
{
	bool		notes = wb->noted && sql == wb->update;
	int64		found = run_noted(wb, notes ? bi_note_new(false) : NULL, sql, results, n, lock_ms);
	int			level = bi_steady_begin();
	int			missing = 0;

	if (sql == wb->insert)
		found = bi_addition_check(found);
	for (int64 i = 0; i < found; i++)
		note_written(wb, sql, results[bi_sql_int8(i, 1) - 1], i);
	bi_steady_end(level);
	for (int i = 0; i < n; i++)
		if (results[i]->write_state == BI_WRITE_TARGET_MISSING)
			results[missing++] = results[i];
	return missing;
}

/*
 * Says why a row that is there was not updated.  A row of a foreign table that has the values is
 * written: its remote transaction may have committed, and ours not, so that the row differs from
 * what was sent by just what we wrote.
 */
static void
tell_untouched(const BiTarget *target, BiResult *result, bool has_values, bool may_write)
{
	/* Constants: the result outlives the memory of the write. */
	const char *why = NULL;

	if (has_values && (may_write || target->is_remote))
		result->write_state = BI_WRITE_WRITTEN;
	else if (!may_write)
	{
		result->write_state = BI_WRITE_STALE;
		why = target->write_if == BI_WRITE_IF_NULL
			? "a column to be written is not null any more"
			: "the row has changed since it was sent";
	}
	else
	{
		result->write_state = BI_WRITE_FAILED;
		why = "a trigger or policy of the table kept the row from being updated";
	}
	result->write_error = unconstify(char *, why);
}

/*
 * Looks for rows that the UPDATE has not touched.  One that is there, and that the role sees, is
 * stale, or was kept as it was by a trigger or policy of the table.  If it has the values already
 * it counts as written: a trigger left out an update that changes nothing.
 */
static void
look_for(const BiWriteback *wb, BiResult **results, int n, int lock_ms)
{
	int64		found = run_with_rows(wb, wb->look, results, n, lock_ms);

	for (int64 i = 0; i < found; i++)
		tell_untouched(wb->target, results[bi_sql_int8(i, 1) - 1], bi_sql_bool(i, 2),
					   bi_sql_bool(i, 3));
}

/* Runs the UPDATE, and the INSERT of an upsert.  Of several results with an equal key one UPDATE
 * takes one, so go on while they take any. */
static void
update_rows(BiWriteback *wb, BiResult **rest, int n, int lock_ms)
{
	int			tried;

	do
	{
		tried = n;
		if (wb->update)
			n = write_once(wb, wb->update, rest, n, lock_ms);
		if (wb->insert && n > 0)
			n = write_once(wb, wb->insert, rest, n, lock_ms);
	} while (n > 0 && n < tried);
	if (n > 0)
		look_for(wb, rest, n, lock_ms);
}

/* Of an upsert.  Ends rows whose key a later one has: that one is written.  Moves the others to the
 * front, and returns how many they are. */
static int
drop_repeated(const BiWriteback *wb, BiResult **rows, int n, int lock_ms)
{
	/* a constant: the result outlives the memory of the write */
	const char *why = "a later row that is written with it has the same key";
	int64		found = run_with_rows(wb, wb->repeated, rows, n, lock_ms);
	int			kept = 0;

	for (int64 i = 0; i < found; i++)
	{
		BiResult   *row = rows[bi_sql_int8(i, 1) - 1];

		row->write_state = BI_WRITE_FAILED;
		row->write_error = unconstify(char *, why);
	}
	for (int i = 0; i < n; i++)
		if (rows[i]->write_state == BI_WRITE_TARGET_MISSING)
			rows[kept++] = rows[i];
	return kept;
}

/* Adds all rows.  What is left out by a trigger is not known, so all of them fail.  The INSERT
 * returns the rows in their order. */
static void
insert_rows(const BiWriteback *wb, BiResult **rows, int n, int lock_ms)
{
	MemoryContext cxt;
	int			level;

	if (run_with_rows(wb, wb->insert, rows, n, lock_ms) != n)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a trigger of the table kept the row from being inserted")));
	cxt = MemoryContextSwitchTo(wb->cxt);
	level = bi_steady_begin();
	for (int i = 0; i < n; i++)
	{
		rows[i]->write_state = BI_WRITE_WRITTEN;
		if (wb->printed)
			keep_print(wb, rows[i], i, 1);
	}
	bi_steady_end(level);
	MemoryContextSwitchTo(cxt);
}

void
bi_writeback_remove(BiWriteback *wb, BiResult *const *results, int n, BiNotes *notes, int lock_ms)
{
	BiResult  **rows = palloc(sizeof(BiResult *) * (n + 1));

	memcpy(rows, results, sizeof(BiResult *) * n);
	bi_owner_run(wb->role, wb->carried, "SET CONSTRAINTS ALL IMMEDIATE", NULL, lock_ms);
	(void) run_noted(wb, notes, wb->remove, rows, n, lock_ms);
}

void
bi_writeback_write(BiWriteback *wb, BiResult *const *results, int n, int lock_ms)
{
	BiResult  **rest = palloc(sizeof(BiResult *) * (n + 1));

	memcpy(rest, results, sizeof(BiResult *) * n);
	qsort(rest, n, sizeof(BiResult *), compare_seq);
	for (int i = 0; i < n; i++)
	{
		rest[i]->write_state = BI_WRITE_TARGET_MISSING;
		rest[i]->write_error = NULL;
		rest[i]->old = NULL;
		rest[i]->print = NULL;
		rest[i]->row_key = NIL;
	}
	/* Check deferred constraints inside the UPDATE, otherwise their code would run at our commit,
	 * with our rights. */
	bi_owner_run(wb->role, wb->carried, "SET CONSTRAINTS ALL IMMEDIATE", NULL, lock_ms);
	if (wb->repeated)
		n = drop_repeated(wb, rest, n, lock_ms);
	if (n > 0 && wb->look)
		update_rows(wb, rest, n, lock_ms);
	else if (n > 0)
		insert_rows(wb, rest, n, lock_ms);
}

size_t
bi_writeback_kept(const BiWriteback *wb)
{
	return wb->kept;
}

bool
bi_writeback_is_full(const BiWriteback *wb)
{
	return wb->kept > BI_NOTE_BYTES;
}
