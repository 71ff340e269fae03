/*
 * store/statement.c: the text of the statements that write a target and look into it.
 *
 * All take the rows as one JSON document, $1: their number in it, from 1, as seq, the keys as k0,
 * k1, ... and the values as c0, c1, ...  Those that write or look take the rows' guards by that
 * number, $2: a guard is what guard.c has stored, NULL where there was no such row at submit, or
 * empty where the row is to be written whatever it holds.  writeback.c and guard.c make both.  The
 * guard is no column of the document, for a table may have as many columns as that can have.
 * One that writes answers takes the number of the place for old values (note.h), too, $3.
 *
 * Pure, except that it reads the names of types and of a schema.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

char *
bi_statement_type(const BiTargetColumn *column)
{
	return format_type_extended(column->type, column->typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

bool
bi_statement_is_cast_key(const BiTargetColumn *key)
{
	return key->take == BI_TAKE_JSON;
}

void
bi_statement_defs(StringInfo sql, const List *columns, char prefix)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		BiTargetColumn *column = lfirst(cell);
		bool		cast = (prefix == 'k' && bi_statement_is_cast_key(column)) ||
			(prefix == 'o' && column->take != BI_TAKE_TEXT);

		appendStringInfo(sql, ", %c%d %s", prefix == 'k' ? 'k' : 'c', foreach_current_index(cell),
						 cast ? "pg_catalog.text" : bi_statement_type(column));
	}
}

/* Returns the cast of a key of a domain to the type of its operator's operands; "" of others. */
static const char *
cast_of(const BiTargetColumn *key)
{
	if (key->operand == NULL || get_typtype(key->type) != TYPTYPE_DOMAIN)
		return "";
	return psprintf("::%s", key->operand);
}

void
bi_statement_has_key(StringInfo sql, const BiTargetColumn *key, int i, const char *value)
{
	const char *cast = cast_of(key);

	appendStringInfo(sql, "%s%s %s w.k%d", value, cast, key->equals, i);
	if (bi_statement_is_cast_key(key))
		appendStringInfo(sql, "::%s", bi_statement_type(key));
	appendStringInfoString(sql, cast);
}

/*
 * Appends, for each key column, that it is one of those of the document.  The join says so already,
 * but it is made here: without a condition that postgres_fdw can send it would fetch all rows of
 * the remote table, and an UPDATE would lock them there.
 */
static void
append_shipped(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);

		if (key->operand == NULL)
			continue;
		appendStringInfo(sql, " AND t.%s%s %s ANY (ARRAY(SELECT r.k%d::%s FROM"
						 " pg_catalog.json_to_recordset($1) AS r(seq pg_catalog.int4",
						 quote_identifier(key->name), cast_of(key), key->equals,
						 foreach_current_index(cell), key->operand);
		bi_statement_defs(sql, target->keys, 'k');
		appendStringInfoString(sql, ")))");
	}
}

/* Appends the rows of the document as w, and the condition by which each finds its row of t.
 * columns: the values that the rows have, prefix: as bi_statement_defs takes it. */
static void
append_rows(StringInfo sql, const BiTarget *target, const List *columns, char prefix)
{
	ListCell   *cell;

	appendStringInfoString(sql, "pg_catalog.json_to_recordset($1) AS w(seq pg_catalog.int4");
	bi_statement_defs(sql, target->keys, 'k');
	bi_statement_defs(sql, columns, prefix);
	appendStringInfoString(sql, ") WHERE ");
	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);

		appendStringInfoString(sql, foreach_current_index(cell) ? " AND " : "");
		bi_statement_has_key(sql, key, foreach_current_index(cell),
							 psprintf("t.%s", quote_identifier(key->name)));
	}
	if (target->is_remote)
		append_shipped(sql, target);
}

/* Appends these columns of t as a row, the last argument of a function, and ends its call. */
static void
append_last_argument(StringInfo sql, const List *names)
{
	ListCell   *cell;

	appendStringInfoString(sql, "ROW(");
	foreach(cell, names)
		appendStringInfo(sql, "%st.%s", foreach_current_index(cell) ? ", " : "",
						 quote_identifier(lfirst(cell)));
	appendStringInfoString(sql, "))");
}

void
bi_statement_print(StringInfo sql, const List *names)
{
	appendStringInfo(sql, "%s.batch_fingerprint(", bi_sql_schema());
	append_last_argument(sql, names);
}

void
bi_statement_columns(StringInfo sql, const List *names)
{
	ListCell   *cell;

	foreach(cell, names)
		appendStringInfo(sql, ", t.%s", quote_identifier(lfirst(cell)));
}

/* Appends that the columns to be written are null; those of them that the role may not read are not
 * guarded. */
static void
append_is_null(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	appendStringInfoString(sql, "true");
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);
		const char *name = column->name;

		if (column->is_key)
			continue;
		if (target->write_if == BI_WRITE_IF_NULL || bi_target_names_have(target->guarded, name))
			appendStringInfo(sql, " AND t.%s IS NULL", quote_identifier(name));
	}
}

/* Appends the condition of write_if. */
static void
append_condition(StringInfo sql, const BiTarget *target)
{
	if (target->write_if == BI_WRITE_IF_ALWAYS)
	{
		appendStringInfoString(sql, "true");
		return;
	}
	appendStringInfoString(sql, "(pg_catalog.length(($2)[w.seq]) = 0 OR ");
	if (target->write_if == BI_WRITE_IF_NULL)
		append_is_null(sql, target);
	else if (target->guard_lost)
		appendStringInfoString(sql, "false");
	else if (target->guarded == NIL)
		appendStringInfoString(sql, "true");
	else
	{
		appendStringInfoString(sql, "CASE WHEN ($2)[w.seq] IS NULL THEN ");
		append_is_null(sql, target);
		appendStringInfoString(sql, " ELSE pg_catalog.position(($2)[w.seq], ");
		bi_statement_print(sql, target->guarded);
		appendStringInfoString(sql, ") > 0 END");
	}
	appendStringInfoChar(sql, ')');
}

char *
bi_statement_update(const BiTarget *target, bool noted, const List *returned)
{
	StringInfoData sql;
	ListCell   *cell;
	bool		is_first = true;
	char	   *schema = noted ? bi_sql_schema() : NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET ", target->name);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		if (column->is_key)
			continue;
		appendStringInfo(&sql, "%s%s = w.c%d", is_first ? "" : ", ",
						 quote_identifier(column->name), foreach_current_index(cell));
		is_first = false;
	}
	if (is_first)
		return NULL;
	appendStringInfoString(&sql, " FROM ");
	append_rows(&sql, target, target->columns, 'c');
	if (target->write_if != BI_WRITE_IF_ALWAYS)
	{
		appendStringInfoString(&sql, " AND ");
		append_condition(&sql, target);
	}
	if (noted)
	{
		appendStringInfo(&sql, " AND %s.batch_note($3, w.seq, ", schema);
		append_last_argument(&sql, bi_target_column_names(target));
	}
	appendStringInfoString(&sql, " RETURNING w.seq");
	if (noted)
	{
		appendStringInfo(&sql, ", %s.batch_noted($3, w.seq), ", schema);
		bi_statement_print(&sql, bi_target_filled_names(target));
		bi_statement_columns(&sql, returned);
	}
	return sql.data;
}

/* Appends that the row of t still has the fingerprint of w, and ends the statement. */
static void
append_if_same(StringInfo sql, const BiTarget *target)
{
	appendStringInfoString(sql, " AND ");
	bi_statement_print(sql, bi_target_filled_names(target));
	appendStringInfoString(sql, " OPERATOR(pg_catalog.=) ($2)[w.seq] RETURNING w.seq");
}

static void
append_remove(StringInfo sql, const BiTarget *target)
{
	appendStringInfo(sql, "DELETE FROM %s AS t USING ", target->name);
	append_rows(sql, target, NIL, 'c');
}

/* Begins a DELETE that notes something of each row. */
static void
begin_noted_remove(StringInfo sql, const BiTarget *target)
{
	initStringInfo(sql);
	appendStringInfoString(sql, "WITH d AS (");
	append_remove(sql, target);
	appendStringInfo(sql, " RETURNING %s.batch_note($3, w.seq, ", bi_sql_schema());
}

/* Ends it: one row, whatever was deleted. */
static char *
end_noted_remove(StringInfo sql)
{
	appendStringInfoString(sql, " AS noted) SELECT pg_catalog.count(*) FROM d WHERE d.noted");
	return sql->data;
}

char *
bi_statement_remove(const BiTarget *target, const List *noted)
{
	StringInfoData sql;

	if (noted)
	{
		begin_noted_remove(&sql, target);
		append_last_argument(&sql, noted);
		return end_noted_remove(&sql);
	}
	initStringInfo(&sql);
	append_remove(&sql, target);
	return sql.data;
}

char *
bi_statement_remove_prints(const BiTarget *target)
{
	StringInfoData sql;

	begin_noted_remove(&sql, target);
	appendStringInfoString(&sql, "ROW(pg_catalog.encode(");
	bi_statement_print(&sql, bi_target_filled_names(target));
	appendStringInfoString(&sql, ", 'hex')))");
	return end_noted_remove(&sql);
}

char *
bi_statement_take_back(const BiTarget *target)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_remove(&sql, target);
	append_if_same(&sql, target);
	return sql.data;
}

/* Appends the columns as a row, of the table or of the document. */
static void
append_row_of(StringInfo sql, const List *columns, bool of_table)
{
	ListCell   *cell;

	appendStringInfoString(sql, "ROW(");
	foreach(cell, columns)
	{
		appendStringInfoString(sql, foreach_current_index(cell) ? ", " : "");
		if (of_table)
			appendStringInfo(sql, "t.%s",
							 quote_identifier(((BiTargetColumn *) lfirst(cell))->name));
		else
			appendStringInfo(sql, "w.c%d", foreach_current_index(cell));
	}
	appendStringInfoString(sql, ")::record");
}

/* Rows are compared by their bytes (*=): every type has them, and an update that a trigger leaves
 * out as redundant has equal ones. */
char *
bi_statement_look(const BiTarget *target, bool compare)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT w.seq, pg_catalog.bool_and(");
	if (compare)
	{
		append_row_of(&sql, target->columns, true);
		appendStringInfoString(&sql, " OPERATOR(pg_catalog.*=) ");
		append_row_of(&sql, target->columns, false);
	}
	else
		appendStringInfoString(&sql, "false");
	appendStringInfoString(&sql, "), pg_catalog.bool_or(");
	append_condition(&sql, target);
	appendStringInfo(&sql, ") FROM %s AS t, ", target->name);
	append_rows(&sql, target, target->columns, 'c');
	appendStringInfoString(&sql, " GROUP BY w.seq");
	return sql.data;
}

void
bi_statement_old(StringInfo sql, const BiTargetColumn *column, int i)
{
	appendStringInfo(sql, "w.c%d", i);
	if (column->take != BI_TAKE_TEXT)
		appendStringInfo(sql, "::%s", bi_statement_type(column));
}

char *
bi_statement_put_back(const BiTarget *target)
{
	StringInfoData sql;
	ListCell   *cell;
	bool		is_first = true;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET ", target->name);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		if (column->is_key)
			continue;
		appendStringInfo(&sql, "%s%s = ", is_first ? "" : ", ", quote_identifier(column->name));
		bi_statement_old(&sql, column, foreach_current_index(cell));
		is_first = false;
	}
	appendStringInfoString(&sql, " FROM ");
	append_rows(&sql, target, target->columns, 'o');
	append_if_same(&sql, target);
	return sql.data;
}

char *
bi_statement_guard(const BiTarget *target, const List *names)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT w.seq, pg_catalog.string_agg(DISTINCT ");
	bi_statement_print(&sql, names);
	appendStringInfo(&sql, ", ''::pg_catalog.bytea) FROM %s AS t, ", target->name);
	append_rows(&sql, target, NIL, 'c');
	appendStringInfoString(&sql, " GROUP BY w.seq");
	return sql.data;
}

char *
bi_statement_show(const BiTarget *target)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)),"
						   " '[]')::pg_catalog.text FROM (SELECT ");
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		appendStringInfo(&sql, "%sw.c%d AS %s", foreach_current_index(cell) ? ", " : "",
						 foreach_current_index(cell), quote_identifier(column->name));
	}
	appendStringInfoString(&sql, " FROM pg_catalog.json_to_recordset($1::pg_catalog.json)"
						   " AS w(seq pg_catalog.int4");
	bi_statement_defs(&sql, target->columns, 'c');
	appendStringInfoString(&sql, ") ORDER BY w.seq) s");
	return sql.data;
}
