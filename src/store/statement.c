/*
 * store/statement.c: the text of the statements that write a target and look into it.
 *
 * Both take the rows as one JSON document, $1: seq, the keys as k0, k1, ... and the values as
 * c0, c1, ...  writeback.c makes the document.  Pure but for the names of types.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "store/statement.h"
#include "utils/builtins.h"

static char *
type_name(const BiTargetColumn *column)
{
	return format_type_extended(column->type, column->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

bool
bi_statement_is_cast_key(const BiTargetColumn *key)
{
	return key->take == BI_TAKE_JSON;
}

static void
append_column_defs(StringInfo sql, const List *columns, char prefix)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		BiTargetColumn *column = lfirst(cell);

		bool		cast = prefix == 'k' && bi_statement_is_cast_key(column);

		appendStringInfo(sql, ", %c%d %s", prefix, foreach_current_index(cell),
						 cast ? "pg_catalog.text" : type_name(column));
	}
}

/* The rows that travel, and which row of t each of them means. */
static void
append_rows(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	appendStringInfoString(sql, "pg_catalog.json_to_recordset($1) AS w(seq pg_catalog.int8");
	append_column_defs(sql, target->keys, 'k');
	append_column_defs(sql, target->columns, 'c');
	appendStringInfoString(sql, ") WHERE ");
	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);

		appendStringInfo(sql, "%st.%s %s w.k%d", foreach_current_index(cell) ? " AND " : "",
						 quote_identifier(key->name), key->equals, foreach_current_index(cell));
		if (bi_statement_is_cast_key(key))
			appendStringInfo(sql, "::%s", type_name(key));
	}
}

char *
bi_statement_update(const BiTarget *target)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET ", target->name);
	foreach(cell, target->columns)
		appendStringInfo(&sql, "%s%s = w.c%d", foreach_current_index(cell) ? ", " : "",
						 quote_identifier(((BiTargetColumn *) lfirst(cell))->name), foreach_current_index(cell));
	appendStringInfoString(&sql, " FROM ");
	append_rows(&sql, target);
	appendStringInfoString(&sql, " RETURNING w.seq");
	return sql.data;
}

static void
append_row_of(StringInfo sql, const List *columns, bool of_table)
{
	ListCell   *cell;

	appendStringInfoString(sql, "ROW(");
	foreach(cell, columns)
	{
		appendStringInfoString(sql, foreach_current_index(cell) ? ", " : "");
		if (of_table)
			appendStringInfo(sql, "t.%s", quote_identifier(((BiTargetColumn *) lfirst(cell))->name));
		else
			appendStringInfo(sql, "w.c%d", foreach_current_index(cell));
	}
	appendStringInfoString(sql, ")::record");
}

/* By bytes: any type has them, and what is left out as redundant is equal so. */
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
	appendStringInfo(&sql, ") FROM %s AS t, ", target->name);
	append_rows(&sql, target);
	appendStringInfoString(&sql, " GROUP BY w.seq");
	return sql.data;
}
