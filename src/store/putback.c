/*
 * store/putback.c: puts back what a job's answers have overwritten.
 *
 * batchinf.result has what each row held in the written columns (old), and a fingerprint of what
 * it holds since (print).  One UPDATE puts back a group of rows: its condition is that the row
 * still has that fingerprint.  PostgreSQL computes it again if another transaction has changed the
 * row meanwhile.  Rows that it does not touch are looked at, and counted by the reason.
 *
 * The last record comes first: if two records of a job have written one row, the later write is
 * undone before the earlier one.
 *
 * Of a job whose answers add rows, batchinf.written has these with their fingerprints: one DELETE
 * takes back a group of them, in the same way.  It also has the rows that an upsert has
 * overwritten, with their old values.  Replaced values are put back by restore.c.
 *
 * The text of a value becomes the value through the input function of the column's type, under the
 * settings under which it became text (base/steady.h).
 *
 * All is done in the caller's transaction, in groups: memory is bounded by one of them.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/steady.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "store/carry.h"
#include "store/keydoc.h"
#include "store/overwritten.h"
#include "store/owner.h"
#include "store/putback.h"
#include "store/replaced.h"
#include "store/restore.h"
#include "store/sql.h"
#include "store/statement.h"
#include "store/written.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

struct BiPutback
{
	const BiJob *job;
	BiRestore  *restore;		/* of a replace; then only fates and cxt are set below */
	BiTarget   *target;
	Oid			role;			/* with whose rights the rows are written */
	BiCarried  *carried;
	bool		is_written;		/* the rows are those of batchinf.written */
	bool		may_delete;		/* the role may take back rows that were added */
	char	   *update;			/* of rows that were overwritten */
	char	   *remove;			/* the DELETE of rows that were added */
	char	   *look;			/* a SELECT of the fingerprints that the rows have now */
	BiFates		fates;
	int64		reverted_before;	/* in former passes */
	MemoryContext cxt;			/* of the revert */
	BiOverwritten *group;		/* the rows under way */
};

static void
require_select(const BiTarget *target, Oid role)
{
	ListCell   *cell;

	foreach(cell, target->columns)
	{
		const char *name = ((BiTargetColumn *) lfirst(cell))->name;

		if (!bi_target_has_right(target->relid, name, role, ACL_SELECT))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for column \"%s\" of table %s", name,
							target->name),
					 errdetail("Role \"%s\" writes to it and lacks SELECT.",
							   GetUserNameFromId(role, false))));
	}
}

/* Opens the job's target by its primary key.  The columns by which an upsert finds a row are keys,
 * too: their values are not put back. */
static BiTarget *
open_by_key(const BiJob *job)
{
	BiAim	   *aim = bi_aim_find(job);
	BiTarget   *target;
	BiSpec		spec;
	ListCell   *cell;

	if (aim->why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("%s", aim->why)));
	spec = bi_aim_spec(job, aim);
	spec.write_mode = BI_WRITE_MODE_UPDATE;
	spec.key = bi_target_primary_key(aim->relid);
	spec.each = NULL;
	if (spec.key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("target table %s has no primary key", bi_target_name(aim->relid)),
				 errdetail("Rows that answers have added are found by it.")));
	target = bi_target_open(aim->relid, &spec);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		column->is_key = bi_target_names_have(spec.conflict, column->name);
	}
	return target;
}

/* Prepares the statements. */
static void
prepare(BiPutback *putback)
{
	const BiTarget *target = putback->target;

	if (bi_target_column_names(target))
		putback->update = bi_statement_put_back(target);
	putback->remove = bi_statement_take_back(target);
	putback->look = bi_statement_guard(target, bi_target_filled_names(target));
	putback->may_delete =
		pg_class_aclcheck(target->relid, putback->role, ACL_DELETE) == ACLCHECK_OK;
	if (putback->job->spec.write_mode == BI_WRITE_MODE_INSERT && !putback->may_delete)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", target->name),
				 errdetail("Role \"%s\" has added rows to it and lacks DELETE.",
						   GetUserNameFromId(putback->role, false))));
}

static void
open_rows(BiPutback *putback, const BiJob *job)
{
	putback->is_written = bi_spec_adds(&job->spec);
	putback->target = putback->is_written ? open_by_key(job) : bi_aim_open(job);
	putback->role = bi_owner_writer(job->owner, putback->target->relid, putback->is_written);
	require_select(putback->target, putback->role);
	putback->carried = bi_carry_read(job->spec.settings);
	prepare(putback);
	putback->group = bi_overwritten_open(job->id, putback->is_written);
}

BiPutback *
bi_putback_open(const BiJob *job)
{
	BiPutback  *putback = palloc0(sizeof(BiPutback));

	if (GetUserNameFromId(job->owner, true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the owner of the batch job does not exist any more"),
				 errhint("Use batch_adopt(" INT64_FORMAT ", 'role').", job->id)));
	putback->job = job;
	putback->cxt = CurrentMemoryContext;
	if (job->spec.write_mode == BI_WRITE_MODE_REPLACE)
		putback->restore = bi_restore_open(job);
	else
		open_rows(putback, job);
	/* As the caller, whose triggers may be waiting.  A restricted operation refuses deferred
	 * ones. */
	bi_sql_run_as_is("SET CONSTRAINTS ALL IMMEDIATE", NULL);
	return putback;
}

int
bi_putback_read(BiPutback *putback)
{
	if (putback->restore)
		return bi_restore_read(putback->restore, &putback->fates);
	return bi_overwritten_read(putback->group, &putback->fates);
}

/* Appends the old values as members c0, c1, ... */
static void
append_old(StringInfo doc, const BiTarget *target, const char *old)
{
	BiJson	   *values = bi_json_parse_cstring(old);
	int			n = 0;
	ListCell   *cell;

	foreach(cell, target->columns)
	{
		if (((BiTargetColumn *) lfirst(cell))->is_key)
			continue;
		appendStringInfo(doc, ",\"c%d\":", foreach_current_index(cell));
		if (n < bi_json_length(values))
			bi_json_append(doc, bi_json_item(values, n));
		n++;
	}
	if (bi_json_length(values) != n)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the old values of a row are not those of its columns")));
}

/* The rows as a document; with their old values for the UPDATE. */
static char *
build_document(const BiPutback *putback, BiOverwrittenRow *const *rows, int n, bool with_old)
{
	StringInfoData doc;

	initStringInfo(&doc);
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(&doc, i == 0 ? "[{" : ",{");
		bi_keydoc_append(&doc, putback->target, i + 1, rows[i]->record_id, rows[i]->key);
		if (with_old)
			append_old(&doc, putback->target, rows[i]->old);
		appendStringInfoChar(&doc, '}');
	}
	appendStringInfoChar(&doc, ']');
	return doc.data;
}

/* Runs a statement as the role.  Returns how many rows it returns. */
static int64
run(const BiPutback *putback, const char *sql, const BiArgs *args)
{
	int			level = bi_steady_begin_input();
	int64		found = bi_owner_run_in_session(putback->role, putback->carried, sql, args);

	bi_steady_end(level);
	return found;
}

/* Moves those of rows that are not put back to the front, and returns how many they are. */
static int
keep_others(BiOverwrittenRow **rows, int n)
{
	int			rest = 0;

	for (int i = 0; i < n; i++)
		if (rows[i]->fate != BI_FATE_REVERTED)
			rows[rest++] = rows[i];
	return rest;
}

/* Runs the UPDATE, or the DELETE for rows that were added. */
static void
write_once(const BiPutback *putback, bool added, BiOverwrittenRow *const *rows, int n)
{
	BiArgs		args = {0};
	Datum	   *prints = palloc(sizeof(Datum) * (n + 1));
	BiOverwrittenRow **some = palloc(sizeof(BiOverwrittenRow *) * (n + 1));
	int			m = 0;
	int64		found;

	for (int i = 0; i < n; i++)
	{
		if (rows[i]->added != added || rows[i]->fate == BI_FATE_REFUSED)
			continue;
		prints[m] = rows[i]->print;
		some[m++] = rows[i];
	}
	if (m == 0)
		return;
	bi_sql_arg(&args, JSONOID, CStringGetTextDatum(build_document(putback, some, m, !added)),
			   false);
	bi_sql_arg_array(&args, BYTEAOID, prints, NULL, m);
	found = run(putback, added ? putback->remove : putback->update, &args);
	for (int64 i = 0; i < found; i++)
	{
		BiOverwrittenRow *row = some[bi_sql_int8(i, 1) - 1];

		if (row->fate == BI_FATE_REVERTED)
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("several rows have the key \"%s\" now", row->record_id)));
		row->fate = BI_FATE_REVERTED;
	}
}

/* Looks for rows that were not touched. */
static void
look_for(const BiPutback *putback, BiOverwrittenRow **rows, int n)
{
	BiArgs		args = {0};
	int64		found;

	bi_sql_arg(&args, JSONOID,
			   CStringGetTextDatum(build_document(putback, rows, n, false)), false);
	found = run(putback, putback->look, &args);
	for (int64 i = 0; i < found; i++)
	{
		BiOverwrittenRow *row = rows[bi_sql_int8(i, 1) - 1];
		bool		isnull;
		Datum		print = bi_sql_datum(i, 2, &isnull);

		if (row->fate != BI_FATE_REFUSED)
			row->fate = DatumGetBool(DirectFunctionCall2(byteaeq, print, row->print))
				? BI_FATE_KEPT : BI_FATE_CHANGED;
	}
}

static void
keep_why(BiPutback *putback, const char *why)
{
	if (putback->fates.why == NULL)
		putback->fates.why = MemoryContextStrdup(putback->cxt, why);
}

/* Sets what is known before. */
static void
begin_fate(BiPutback *putback, BiOverwrittenRow *row)
{
	row->fate = BI_FATE_GONE;
	if (!row->added || putback->may_delete)
		return;
	row->fate = BI_FATE_REFUSED;
	keep_why(putback, psprintf("permission denied for table %s", putback->target->name));
}

void
bi_putback_write(BiPutback *putback, int first, int n)
{
	BiOverwrittenRow **rest = palloc(sizeof(BiOverwrittenRow *) * (n + 1));
	int			tried;

	if (putback->restore)
	{
		bi_restore_write(putback->restore, first, n);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		rest[i] = &putback->group->rows[first + i];
		begin_fate(putback, rest[i]);
	}
	/* Of several writes to one row one UPDATE undoes one, so go on while it undoes any. */
	do
	{
		tried = n;
		write_once(putback, false, rest, n);
		n = keep_others(rest, n);
		write_once(putback, true, rest, n);
		n = keep_others(rest, n);
	} while (n > 0 && n < tried);
	if (n > 0)
		look_for(putback, rest, n);
}

void
bi_putback_refuse(BiPutback *putback, int row, const char *why)
{
	if (putback->restore && !bi_restore_refuse(putback->restore, row))
		return;
	if (putback->restore == NULL)
		putback->group->rows[row].fate = BI_FATE_REFUSED;
	keep_why(putback, why);
}

/* Forgets rows of batchinf.written that were put back. */
static void
forget_rows(const BiPutback *putback)
{
	Datum	   *seqs = palloc(sizeof(Datum) * (putback->group->n + 1));
	Datum	   *items = palloc(sizeof(Datum) * (putback->group->n + 1));
	int			m = 0;

	for (int i = 0; i < putback->group->n; i++)
	{
		if (putback->group->rows[i].fate != BI_FATE_REVERTED)
			continue;
		seqs[m] = Int64GetDatum(putback->group->rows[i].seq);
		items[m++] = Int32GetDatum(putback->group->rows[i].item);
	}
	if (m > 0)
		bi_written_forget(putback->job->id, seqs, items, m);
}

/* Saves that records whose rows were put back are reverted. */
static void
mark_records(const BiPutback *putback)
{
	Datum	   *seqs = palloc(sizeof(Datum) * (putback->group->n + 1));
	int			m = 0;

	for (int i = 0; i < putback->group->n; i++)
		if (putback->group->rows[i].fate == BI_FATE_REVERTED)
			seqs[m++] = Int64GetDatum(putback->group->rows[i].seq);
	bi_result_revert(putback->job->id, seqs, m);
}

void
bi_putback_save(BiPutback *putback)
{
	if (putback->restore)
	{
		bi_restore_save(putback->restore, &putback->fates);
		return;
	}
	for (int i = 0; i < putback->group->n; i++)
		bi_fate_count(&putback->fates, putback->group->rows[i].fate, 1);
	if (putback->is_written)
		forget_rows(putback);
	else
		mark_records(putback);
}

bool
bi_putback_goes_on(BiPutback *putback)
{
	BiFates    *fates = &putback->fates;

	if (putback->restore == NULL && fates->changed > 0 &&
		fates->reverted > putback->reverted_before)
	{
		putback->reverted_before = fates->reverted;
		*fates = (BiFates) {.reverted = fates->reverted};
		bi_overwritten_rewind(putback->group);
		return true;
	}
	if (putback->restore)
		bi_fate_count(fates, BI_FATE_UNKNOWN, bi_replaced_unknown(putback->job->id));
	else if (putback->is_written)
		bi_fate_count(fates, BI_FATE_UNKNOWN, bi_written_unknown(putback->job->id));
	return false;
}

const BiFates *
bi_putback_fates(const BiPutback *putback)
{
	return &putback->fates;
}

char *
bi_putback_followers(const BiPutback *putback)
{
	return putback->restore ? bi_restore_followers(putback->restore) : NULL;
}
