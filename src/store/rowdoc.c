/*
 * store/rowdoc.c: answers as rows in the JSON document that a statement on the target takes.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "store/extract.h"
#include "store/fit.h"
#include "store/keydoc.h"
#include "store/rowdoc.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/json.h"

/* Appends the value of the i-th column: what was found for it, or the output as it is. */
static void
append_value(StringInfo doc, const BiTargetColumn *column, const BiResult *result, int i)
{
	const BiAnswer *answer = &result->answer;

	if (result->values && result->values[i])
		appendStringInfoString(doc, result->values[i]);
	else if (column->take != BI_TAKE_TEXT || answer->output_is_json)
		appendStringInfoString(doc, answer->output);
	else if (column->fit)
		escape_json(doc, bi_fit_text(column->type, answer->output));
	else
		escape_json(doc, answer->output);
}

/* Appends the number and those keys that are among the columns. */
static void
append_own_keys(StringInfo doc, const BiTarget *target, const BiResult *result, int number)
{
	ListCell   *cell;

	appendStringInfo(doc, "\"seq\":%d", number);
	foreach(cell, target->keys)
	{
		const BiTargetColumn *key = lfirst(cell);
		const BiTargetColumn *column = list_nth(target->columns, key->place);
		StringInfoData value;

		initStringInfo(&value);
		if (column->fill.kind == BI_FILL_COLUMN)
			bi_extract_carried(&value, target, column, result);
		else
			append_value(&value, column, result, key->place);
		bi_keydoc_append_value(doc, key, foreach_current_index(cell), value.data);
	}
}

static void
append_row(StringInfo doc, const BiTarget *target, const BiResult *result, int number,
		   bool keys_only)
{
	ListCell   *cell;

	appendStringInfoChar(doc, '{');
	if (target->write_mode == BI_WRITE_MODE_UPDATE)
		bi_keydoc_append(doc, target, number, result->record_id, result->key);
	else
		append_own_keys(doc, target, result, number);
	foreach(cell, keys_only ? NIL : target->columns)
	{
		appendStringInfo(doc, ",\"c%d\":", foreach_current_index(cell));
		append_value(doc, lfirst(cell), result, foreach_current_index(cell));
	}
	appendStringInfoChar(doc, '}');
}

char *
bi_rowdoc_build(const BiTarget *target, BiResult *const *results, int n, bool keys_only)
{
	StringInfoData doc;

	initStringInfo(&doc);
	appendStringInfoChar(&doc, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&doc, ',');
		append_row(&doc, target, results[i], i + 1, keys_only);
	}
	appendStringInfoChar(&doc, ']');
	return doc.data;
}

char *
bi_rowdoc_show(const BiTarget *target, BiResult *const *results, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_text(&args, bi_rowdoc_build(target, results, n, false));
	bi_sql_run_as_is(bi_statement_show(target), &args);
	return bi_sql_text(CurrentMemoryContext, 0, 1);
}
