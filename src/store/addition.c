/*
 * store/addition.c: the text of the statements that add rows to a target.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "lib/stringinfo.h"
#include "store/addition.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Returns the collation's name, qualified and quoted. */
static char *
collation_name(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->collnamespace),
									  NameStr(form->collname));
	ReleaseSysCache(tuple);
	return name;
}

/* Appends the columns that are filled: their names in the table, or in the document. */
static void
append_names(StringInfo sql, const List *columns, bool of_table)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		appendStringInfoString(sql, foreach_current_index(cell) ? ", " : "");
		if (of_table)
			appendStringInfoString(sql, quote_identifier(((BiTargetColumn *) lfirst(cell))->name));
		else
			appendStringInfo(sql, "w.c%d", foreach_current_index(cell));
	}
}

/* Appends the rows of the document, all of them, as w. */
static void
append_all_rows(StringInfo sql, const BiTarget *target)
{
	appendStringInfoString(sql, "pg_catalog.json_to_recordset($1) AS w(seq pg_catalog.int4");
	bi_statement_defs(sql, target->keys, 'k');
	bi_statement_defs(sql, target->columns, 'c');
	appendStringInfoChar(sql, ')');
}

/* Appends an INSERT of rows w, which follow. */
static void
append_insert(StringInfo sql, const BiTarget *target)
{
	appendStringInfo(sql, "INSERT INTO %s AS t (", target->name);
	append_names(sql, target->columns, true);
	appendStringInfoString(sql, ") SELECT ");
	append_names(sql, target->columns, false);
	appendStringInfoString(sql, " FROM ");
}

char *
bi_addition_insert(const BiTarget *target, bool printed, const List *returned)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_insert(&sql, target);
	append_all_rows(&sql, target);
	appendStringInfoString(&sql, " ORDER BY w.seq");
	if (!printed)
		return sql.data;
	appendStringInfoString(&sql, " RETURNING ");
	bi_statement_print(&sql, bi_target_filled_names(target));
	bi_statement_columns(&sql, returned);
	return sql.data;
}

/* Appends the keys of the document, with their types and with the collations of the table. */
static void
append_keys(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);

		appendStringInfo(sql, "%sw.k%d", foreach_current_index(cell) ? ", " : "",
						 foreach_current_index(cell));
		if (bi_statement_is_cast_key(key))
			appendStringInfo(sql, "::%s", bi_statement_type(key));
		if (OidIsValid(key->collation))
			appendStringInfo(sql, " COLLATE %s", collation_name(key->collation));
	}
}

char *
bi_addition_repeated(const BiTarget *target)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT r.seq FROM (SELECT w.seq, pg_catalog.row_number() OVER"
						   " (PARTITION BY ");
	append_keys(&sql, target);
	appendStringInfoString(&sql, " ORDER BY w.seq DESC) AS n FROM ");
	append_all_rows(&sql, target);
	for (int i = 0; i < list_length(target->keys); i++)
		appendStringInfo(&sql, "%s w.k%d IS NOT NULL", i > 0 ? " AND" : " WHERE", i);
	appendStringInfoString(&sql, ") r WHERE r.n > 1");
	return sql.data;
}

/* Appends the names of the keys in the table. */
static void
append_key_names(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	foreach(cell, target->keys)
		appendStringInfo(sql, "%s%s", foreach_current_index(cell) ? ", " : "",
						 quote_identifier(((BiTargetColumn *) lfirst(cell))->name));
}

/* Appends that the keys of the document are those of an added row, i.  with_nulls: or are NULL as
 * they are. */
static void
append_same_keys(StringInfo sql, const BiTarget *target, bool with_nulls)
{
	ListCell   *cell;

	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);
		int			i = foreach_current_index(cell);

		appendStringInfoString(sql, i > 0 ? " AND (" : "(");
		bi_statement_has_key(sql, key, i, psprintf("i.k%d", i));
		if (with_nulls)
			appendStringInfo(sql, " OR i.k%d IS NULL AND w.k%d IS NULL", i, i);
		appendStringInfoChar(sql, ')');
	}
}

/* Appends that a key of the document is NULL. */
static void
append_has_null(StringInfo sql, const BiTarget *target)
{
	for (int i = 0; i < list_length(target->keys); i++)
		appendStringInfo(sql, "%sw.k%d IS NULL", i > 0 ? " OR " : "", i);
}

/* Appends that a row of the document was added.  One with a NULL in its key always is, because it
 * equals none; they are looked for apart, because only equality can be looked for by hashing. */
static void
append_is_added(StringInfo sql, const BiTarget *target)
{
	appendStringInfoString(sql, "EXISTS (SELECT FROM i WHERE ");
	append_same_keys(sql, target, false);
	appendStringInfoString(sql, ") OR (");
	append_has_null(sql, target);
	appendStringInfoString(sql, ") AND EXISTS (SELECT FROM i WHERE ");
	append_same_keys(sql, target, true);
	appendStringInfoChar(sql, ')');
}

/* Appends the rows of the document as w and, as i, the INSERT of those whose keys are not in the
 * table, with its RETURNING of the keys.  A foreign table takes no arbiter. */
static void
append_add(StringInfo sql, const BiTarget *target)
{
	ListCell   *cell;

	appendStringInfoString(sql, "WITH w AS MATERIALIZED (SELECT * FROM ");
	append_all_rows(sql, target);
	appendStringInfoString(sql, "), i AS (");
	append_insert(sql, target);
	appendStringInfoString(sql, "w ORDER BY w.seq ON CONFLICT ");
	if (get_rel_relkind(target->relid) != RELKIND_FOREIGN_TABLE)
	{
		appendStringInfoChar(sql, '(');
		append_key_names(sql, target);
		appendStringInfoString(sql, ") ");
	}
	appendStringInfoString(sql, "DO NOTHING RETURNING ");
	foreach(cell, target->keys)
		appendStringInfo(sql, "%st.%s AS k%d", foreach_current_index(cell) ? ", " : "",
						 quote_identifier(((BiTargetColumn *) lfirst(cell))->name),
						 foreach_current_index(cell));
}

/* True in SQL if all rows of the document were added. */
#define ALL_ADDED \
	"(SELECT pg_catalog.count(*) FROM i) OPERATOR(pg_catalog.=)" \
	" (SELECT pg_catalog.count(*) FROM w)"

/* Appends how many rows were added, below 0, as the last row; its other columns are n NULLs. */
static void
append_count(StringInfo sql, int n)
{
	appendStringInfoString(sql, " UNION ALL SELECT (0 OPERATOR(pg_catalog.-) pg_catalog.count(*))"
						   "::pg_catalog.int4");
	for (int i = 0; i < n; i++)
		appendStringInfoString(sql, ", NULL");
	appendStringInfoString(sql, " FROM i");
}

char *
bi_addition_add(const BiTarget *target)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_add(&sql, target);
	appendStringInfoString(&sql, ") SELECT w.seq FROM w WHERE " ALL_ADDED " OR ");
	append_is_added(&sql, target);
	append_count(&sql, 0);
	return sql.data;
}

/* Appends the fingerprint and the n returned columns of an added row, or NULLs. */
static void
append_returned(StringInfo sql, const char *from, int n)
{
	appendStringInfo(sql, ", %s", from ? psprintf("%s.print", from) : "NULL");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, ", %s", from ? psprintf("%s.r%d", from, i) : "NULL");
}

/*
 * Rows that were added are those of the document in their order.  If others have added some of them
 * meanwhile, they are found by their keys; NULLs in these say nothing.
 */
char *
bi_addition_add_noted(const BiTarget *target, const List *returned)
{
	StringInfoData sql;
	ListCell   *cell;
	int			n = list_length(returned);

	initStringInfo(&sql);
	append_add(&sql, target);
	appendStringInfoString(&sql, ", ");
	bi_statement_print(&sql, bi_target_filled_names(target));
	appendStringInfoString(&sql, " AS print");
	foreach(cell, returned)
		appendStringInfo(&sql, ", t.%s AS r%d", quote_identifier(lfirst(cell)),
						 foreach_current_index(cell));
	appendStringInfoString(&sql, "), a AS (SELECT i.*, pg_catalog.row_number() OVER () AS place"
						   " FROM i), b AS (SELECT w.seq, pg_catalog.row_number() OVER"
						   " (ORDER BY w.seq) AS place FROM w) SELECT b.seq");
	append_returned(&sql, "a", n);
	appendStringInfoString(&sql, " FROM a, b WHERE a.place OPERATOR(pg_catalog.=) b.place AND "
						   ALL_ADDED " UNION ALL SELECT w.seq");
	append_returned(&sql, "i", n);
	appendStringInfoString(&sql, " FROM w, i WHERE NOT (" ALL_ADDED ") AND ");
	append_same_keys(&sql, target, false);
	appendStringInfoString(&sql, " UNION ALL SELECT w.seq");
	append_returned(&sql, NULL, n);
	appendStringInfoString(&sql, " FROM w WHERE NOT (" ALL_ADDED ") AND (");
	append_has_null(&sql, target);
	appendStringInfoString(&sql, ") AND EXISTS (SELECT FROM i WHERE ");
	append_same_keys(&sql, target, true);
	appendStringInfoChar(&sql, ')');
	append_count(&sql, n + 1);
	return sql.data;
}

int64
bi_addition_check(int64 found)
{
	if (found == 0 || bi_sql_int8(found - 1, 1) != 1 - found)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a trigger of the table has changed the keys of several rows")));
	return found - 1;
}

char *
bi_addition_put_back(const BiTarget *target)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s AS t (", target->name);
	append_names(&sql, target->columns, true);
	appendStringInfoString(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	foreach(cell, target->columns)
	{
		appendStringInfoString(&sql, foreach_current_index(cell) ? ", " : "");
		bi_statement_old(&sql, lfirst(cell), foreach_current_index(cell));
	}
	appendStringInfoString(&sql, " FROM pg_catalog.json_to_recordset($1)"
						   " AS w(seq pg_catalog.int4");
	bi_statement_defs(&sql, target->columns, 'o');
	appendStringInfoString(&sql, ") ORDER BY w.seq");
	return sql.data;
}
