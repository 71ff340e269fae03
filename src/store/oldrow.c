/*
 * store/oldrow.c: rows that a replace has deleted are added to their table again.
 *
 * All columns come back as they were, identity columns too; generated columns are computed again.
 * Columns are known by their numbers as long as the table is the one of the job, so that new names
 * are followed; else by their names.  A column that was dropped is left out, one that is new has
 * its default.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/steady.h"
#include "base/texts.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "store/addition.h"
#include "store/oldrow.h"
#include "store/owner.h"
#include "store/target.h"
#include "utils/builtins.h"

/* One statement adds rows of about this many bytes. */
#define STATEMENT_BYTES (4 * 1024 * 1024)

struct BiOldAddition
{
	const BiOldRows *rows;
	const List *names;			/* the columns of these rows */
	BiTarget   *target;			/* its columns are those that are there now */
	List	   *places;			/* int: where these are in an old row */
	char	   *sql;
	StringInfoData doc;			/* rows that are not added yet, without its end */
	int			nrows;
	int64		done;			/* rows that were added */
};

int64
bi_oldrow_run(const BiOldRows *rows, const char *sql, const BiArgs *args)
{
	int			level = bi_steady_begin_input();
	int64		n = bi_owner_run_in_session(rows->role, unconstify(BiCarried *, rows->carried), sql,
											args);

	bi_steady_end(level);
	return n;
}

BiOldAddition *
bi_oldrow_begin(const BiOldRows *rows)
{
	BiOldAddition *addition = palloc0(sizeof(BiOldAddition));

	addition->rows = rows;
	initStringInfo(&addition->doc);
	return addition;
}

/* Returns the present name of a column of an old row; NULL: it is left out. */
static const char *
present_name(const BiOldRows *rows, const char *then, int number, const List *present)
{
	ListCell   *cell;

	if (then == NULL)
		return NULL;
	if (rows->by_number)
		return number <= list_length(present) ? list_nth(present, number - 1) : NULL;
	foreach(cell, present)
		if (lfirst(cell) && strcmp(lfirst(cell), then) == 0)
			return then;
	return NULL;
}

/* Begins to add rows with these columns. */
static void
begin_addition(BiOldAddition *addition, const List *names)
{
	List	   *present = bi_target_row_names(addition->rows->relid);
	List	   *found = NIL;
	ListCell   *cell;
	int			kept = 0;

	addition->names = names;
	addition->places = NIL;
	foreach(cell, names)
	{
		int			number = foreach_current_index(cell) + 1;
		const char *name = present_name(addition->rows, lfirst(cell), number, present);

		if (name)
		{
			found = lappend(found, unconstify(char *, name));
			addition->places = lappend_int(addition->places, kept);
		}
		kept += lfirst(cell) != NULL;
	}
	addition->target = bi_target_open_row(addition->rows->relid, found);
	addition->sql = bi_addition_put_back(addition->target);
}

/* Adds the rows that wait in the document. */
static void
add_rows(BiOldAddition *addition)
{
	BiArgs		args = {0};

	if (addition->nrows == 0)
		return;
	appendStringInfoChar(&addition->doc, ']');
	bi_sql_arg(&args, JSONOID,
			   PointerGetDatum(cstring_to_text_with_len(addition->doc.data, addition->doc.len)),
			   false);
	if (bi_oldrow_run(addition->rows, addition->sql, &args) != addition->nrows)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a trigger of the table kept the row from being inserted")));
	addition->done += addition->nrows;
	addition->nrows = 0;
	resetStringInfo(&addition->doc);
}

static void
append_row(BiOldAddition *addition, const BiJson *row)
{
	ListCell   *cell;

	appendStringInfo(&addition->doc, "%c{\"seq\":%d", addition->nrows == 0 ? '[' : ',',
					 addition->nrows + 1);
	foreach(cell, addition->places)
	{
		appendStringInfo(&addition->doc, ",\"c%d\":", foreach_current_index(cell));
		bi_json_append(&addition->doc, bi_json_item(row, lfirst_int(cell)));
	}
	appendStringInfoChar(&addition->doc, '}');
	addition->nrows++;
}

void
bi_oldrow_add(BiOldAddition *addition, const List *names, const char *old)
{
	BiJson	   *rows = bi_json_parse_cstring(old);

	if (bi_json_type(rows) != BI_JSON_ARRAY)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the old rows of a value cannot be read")));
	if (addition->sql == NULL || !bi_texts_equal(addition->names, names))
	{
		add_rows(addition);
		begin_addition(addition, names);
	}
	for (int i = 0; i < bi_json_length(rows); i++)
	{
		append_row(addition, bi_json_item(rows, i));
		if (addition->doc.len > STATEMENT_BYTES)
			add_rows(addition);
	}
}

int64
bi_oldrow_end(BiOldAddition *addition)
{
	add_rows(addition);
	return addition->done;
}
