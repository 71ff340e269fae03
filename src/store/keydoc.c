/*
 * store/keydoc.c: keys of rows in the JSON document that a statement on the target takes.
 */
#include "postgres.h"

#include "store/extract.h"
#include "store/keydoc.h"
#include "store/statement.h"
#include "utils/json.h"

/* Appends a key as text.  A key of a JSON type is the text of its value; text that is not JSON
 * means the JSON string of it.  NULL is a key that no row has. */
static void
append_key(StringInfo doc, const BiTargetColumn *key, const char *text)
{
	StringInfoData value;

	if (text == NULL)
	{
		appendStringInfoString(doc, "null");
		return;
	}
	initStringInfo(&value);
	if (bi_statement_is_cast_key(key) && !bi_extract_is_json(text))
		escape_json(&value, text);
	escape_json(doc, value.len > 0 ? value.data : text);
}

void
bi_keydoc_append(StringInfo doc, const BiTarget *target, int number, const char *record_id,
				 const List *key)
{
	ListCell   *cell;

	appendStringInfo(doc, "\"seq\":%d", number);
	foreach(cell, target->keys)
	{
		int			i = foreach_current_index(cell);

		appendStringInfo(doc, ",\"k%d\":", i);
		append_key(doc, lfirst(cell), key ? list_nth(key, i) : record_id);
	}
}

void
bi_keydoc_append_value(StringInfo doc, const BiTargetColumn *key, int i, const char *value)
{
	appendStringInfo(doc, ",\"k%d\":", i);
	/* NULL stays NULL */
	if (bi_statement_is_cast_key(key) && strcmp(value, "null") != 0)
		escape_json(doc, value);
	else
		appendStringInfoString(doc, value);
}
