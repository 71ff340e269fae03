/*
 * store/extract.c: the values that a target's columns take from an output.
 *
 * A column has an SQL/JSON path into the output; "$" is the output as it is.  What a path finds
 * is JSON, in the form that the column's type takes (fit.c).  Where the target takes each item of
 * an output as a row, the paths begin at the item.  Other columns are filled from the record, by
 * the item's number, or by a constant.  Knows no SQL statement and no key.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/heft.h"
#include "base/loose.h"
#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "store/extract.h"
#include "store/fit.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

/* Making a jsonb of such an output takes some 0.2 seconds, in which no interrupt is seen. */
#define OUTPUT_MEMORY_MAX ((size_t) 128 * 1024 * 1024)

static BI_JSON_ACTION
on_item(void *state, bool isnull)
{
	CHECK_FOR_INTERRUPTS();
	BI_JSON_ACTION_END;
}

static BI_JSON_ACTION
on_field(void *state, char *name, bool isnull)
{
	CHECK_FOR_INTERRUPTS();
	BI_JSON_ACTION_END;
}

bool
bi_extract_is_json(const char *text)
{
	JsonLexContext *lex = bi_json_lexer(text, strlen(text));
	JsonSemAction actions = {.array_element_start = on_item, .object_field_start = on_field};

	return pg_parse_json(lex, &actions) == JSON_SUCCESS;
}

static bool
needs_json(const BiTargetColumn *column)
{
	return column->fill.kind == BI_FILL_PATH && (!column->whole || column->take != BI_TAKE_TEXT);
}

static bool
any_needs_json(const BiTarget *target)
{
	ListCell   *cell;

	foreach(cell, target->columns)
		if (needs_json(lfirst(cell)))
			return true;
	return target->each != 0;
}

/* True for a column whose value is the output as it is, without a look at it. */
static bool
is_plain(const BiTargetColumn *column, const BiAnswer *answer)
{
	return column->whole && (answer->output_is_json || column->take == BI_TAKE_TEXT);
}

bool
bi_extract_is_needed(const BiTarget *target, const BiAnswer *answer)
{
	ListCell   *cell;

	foreach(cell, target->columns)
		if (!is_plain(lfirst(cell), answer))
			return true;
	return target->each != 0;
}

static void
append_fitted(StringInfo out, const BiTargetColumn *column, Jsonb *value)
{
	if (column->fit)
		bi_fit_append(out, column->type, value);
	else
		(void) JsonbToCString(out, &value->root, VARSIZE(value));
}

/* Appends what the column's path finds: nothing is null, one item is itself, several are an
 * array. */
static void
append_path_value(StringInfo out, const BiTargetColumn *column, Datum output)
{
	Datum		vars = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	Datum		items = DirectFunctionCall4(jsonb_path_query_array, output, column->jsonpath, vars,
											BoolGetDatum(true));
	Jsonb	   *found = DatumGetJsonbP(items);
	JsonbValue *item;
	bool		is_array;

	if (JB_ROOT_COUNT(found) == 0)
	{
		appendStringInfoString(out, "null");
		return;
	}
	item = getIthJsonbValueFromContainer(&found->root, 0);
	is_array = item->type == jbvBinary && JsonContainerIsArray(item->val.binary.data);
	if (JB_ROOT_COUNT(found) == 1 &&
		(is_array || column->take != BI_TAKE_ARRAY || item->type == jbvNull))
		found = JsonbValueToJsonb(item);
	append_fitted(out, column, found);
}

/* Where the values of one row come from.  On the stack of bi_extract_values. */
typedef struct Found
{
	const BiTarget *target;
	const BiResult *result;		/* its columns and ordinal count */
	const char *json;			/* the output; NULL: output is an item of it */
	Datum		output;			/* the same as jsonb, made when it is first needed; 0 before */
} Found;

void
bi_extract_carried(StringInfo out, const BiTarget *target, const BiTargetColumn *column,
				   const BiResult *result)
{
	const char *text = NULL;
	ListCell   *name;
	ListCell   *value;

	forboth(name, target->sources, value, result->columns)
		if (strcmp(lfirst(name), column->fill.text) == 0)
			text = lfirst(value);
	if (text == NULL)
		appendStringInfoString(out, "null");
	else if (column->take == BI_TAKE_JSON && bi_extract_is_json(text))
		appendStringInfoString(out, text);
	else
		escape_json(out, column->fit ? bi_fit_text(column->type, text) : text);
}

/* Appends what a path finds in the output or in the item. */
static void
append_found(StringInfo out, const BiTargetColumn *column, Found *found)
{
	if (column->whole && found->json && !column->fit)
	{
		appendStringInfoString(out, found->json);
		return;
	}
	if (found->output == (Datum) 0)
		found->output = DirectFunctionCall1(jsonb_in, CStringGetDatum(found->json));
	if (column->whole)
		append_fitted(out, column, DatumGetJsonbP(found->output));
	else
		append_path_value(out, column, found->output);
}

/* Returns the column's value in cxt; NULL for the output as it is. */
static char *
find_value(MemoryContext cxt, const BiTargetColumn *column, Found *found)
{
	StringInfoData value;

	if (column->whole && found->json && !needs_json(column))
		return NULL;
	initStringInfo(&value);
	switch (column->fill.kind)
	{
		case BI_FILL_PATH:
			append_found(&value, column, found);
			break;
		case BI_FILL_COLUMN:
			bi_extract_carried(&value, found->target, column, found->result);
			break;
		case BI_FILL_ORDINAL:
			appendStringInfo(&value, "%d", Max(found->result->ordinal, 1));
			break;
		case BI_FILL_CONST:
			appendStringInfoString(&value, column->fill.text);
			break;
	}
	return MemoryContextStrdup(cxt, value.data);
}

/* Sets the values of a row. */
static void
find_values(MemoryContext cxt, Found *found, BiResult *row)
{
	const List *columns = found->target->columns;
	ListCell   *cell;

	row->values = MemoryContextAllocZero(cxt, sizeof(char *) * list_length(columns));
	foreach(cell, columns)
		row->values[foreach_current_index(cell)] = find_value(cxt, lfirst(cell), found);
}

/* Makes a row of each item that the target's path finds in the output. */
static void
find_items(MemoryContext cxt, Found *found, BiResult *result)
{
	Datum		vars = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	Datum		output = DirectFunctionCall1(jsonb_in, CStringGetDatum(found->json));
	Jsonb	   *items = DatumGetJsonbP(DirectFunctionCall4(jsonb_path_query_array, output,
														   found->target->each, vars,
														   BoolGetDatum(true)));
	JsonbIterator *it = JsonbIteratorInit(&items->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	result->nitems = 0;
	result->items = MemoryContextAllocExtended(cxt, sizeof(BiResult) * (JB_ROOT_COUNT(items) + 1),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		BiResult   *item = &result->items[result->nitems];
		Found		of_item = {found->target, item, NULL};

		CHECK_FOR_INTERRUPTS();
		if (token != WJB_ELEM)
			continue;
		*item = *result;
		item->items = NULL;
		item->ordinal = ++result->nitems;
		of_item.output = PointerGetDatum(JsonbValueToJsonb(&value));
		find_values(cxt, &of_item, item);
	}
}

BiFit
bi_extract_values(const BiTarget *target, MemoryContext cxt, BiResult *result, char **why)
{
	const BiAnswer *answer = &result->answer;
	const char *json = answer->output_is_json ? answer->output : bi_loose_json(answer->output);
	Found		found = {target, result, json};

	if (bi_heft_exceeds(json, strlen(json), OUTPUT_MEMORY_MAX))
	{
		*why = psprintf("the output as JSON takes more than %zu MB of memory",
						OUTPUT_MEMORY_MAX / 1024 / 1024);
		*why = MemoryContextStrdup(cxt, *why);
		return BI_FIT_TOO_COSTLY;
	}
	if (any_needs_json(target) && !answer->output_is_json && !bi_extract_is_json(json))
	{
		*why = "the output is not JSON, which its write-back needs";
		return BI_FIT_NOT_JSON;
	}
	if (target->each != 0)
		find_items(cxt, &found, result);
	else
		find_values(cxt, &found, result);
	return BI_FIT_OK;
}
