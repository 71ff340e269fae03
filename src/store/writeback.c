/*
 * store/writeback.c: one UPDATE for a group of rows, run with the rights of the job's owner.
 *
 * The rows travel as one JSON document; json_to_recordset turns each member into its
 * column's type through that type's own input, arrays and row types included.  owner.c
 * switches the role.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/heft.h"
#include "base/loose.h"
#include "catalog/pg_type.h"
#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "store/carry.h"
#include "store/fit.h"
#include "store/owner.h"
#include "store/path.h"
#include "store/sql.h"
#include "store/target.h"
#include "store/writeback.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/* Making a jsonb of such an output takes some 0.2 seconds, in which no interrupt is seen. */
#define OUTPUT_MEMORY_MAX ((size_t) 128 * 1024 * 1024)

struct BiWriteback
{
	Oid			role;			/* with whose rights the rows are written */
	BiTarget   *target;
	char	   *sql;
	char	   *too_costly;		/* why no path is applied, or NULL: the job was submitted by an older version */
	BiCarried  *carried;
};

static char *
type_name(const BiTargetColumn *column)
{
	return format_type_extended(column->type, column->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* A JSON key travels as text: json_to_recordset would make an SQL NULL of JSON's null. */
static bool
is_cast_key(const BiTargetColumn *column, char prefix)
{
	return prefix == 'k' && column->take == BI_TAKE_JSON;
}

static void
append_column_defs(StringInfo sql, const List *columns, char prefix)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		BiTargetColumn *column = lfirst(cell);

		appendStringInfo(sql, ", %c%d %s", prefix, foreach_current_index(cell),
						 is_cast_key(column, prefix) ? "pg_catalog.text" : type_name(column));
	}
}

static char *
build_update(const BiTarget *target)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET ", target->name);
	foreach(cell, target->columns)
		appendStringInfo(&sql, "%s%s = w.c%d", foreach_current_index(cell) ? ", " : "",
						 quote_identifier(((BiTargetColumn *) lfirst(cell))->name), foreach_current_index(cell));
	appendStringInfoString(&sql, " FROM pg_catalog.json_to_recordset($1) AS w(seq pg_catalog.int8");
	append_column_defs(&sql, target->keys, 'k');
	append_column_defs(&sql, target->columns, 'c');
	appendStringInfoString(&sql, ") WHERE ");
	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);

		appendStringInfo(&sql, "%st.%s %s w.k%d", foreach_current_index(cell) ? " AND " : "",
						 quote_identifier(key->name), key->equals, foreach_current_index(cell));
		if (is_cast_key(key, 'k'))
			appendStringInfo(&sql, "::%s", type_name(key));
	}
	appendStringInfoString(&sql, " RETURNING w.seq");
	return sql.data;
}

BiWriteback *
bi_writeback_open(const BiJob *job)
{
	BiWriteback *wb = palloc0(sizeof(BiWriteback));
	char	   *owner = GetUserNameFromId(job->owner, true);

	if (owner == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of the batch job does not exist any more")));
	wb->role = bi_owner_writer(job->owner, job->target);
	wb->target = bi_target_open(job->target, job->spec.key, job->spec.write_back);
	wb->sql = build_update(wb->target);
	wb->too_costly = bi_path_refuse_any(wb->target);
	wb->carried = bi_carry_read(job->spec.settings);
	return wb;
}

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

/* Does PostgreSQL's own parser take it, escapes included?  Interruptible. */
static bool
is_json_text(const char *text)
{
	JsonLexContext *lex = bi_json_lexer(text, strlen(text));
	JsonSemAction actions = {.array_element_start = on_item, .object_field_start = on_field};

	return pg_parse_json(lex, &actions) == JSON_SUCCESS;
}

static bool
needs_json(const BiTargetColumn *column)
{
	return !column->whole || column->take != BI_TAKE_TEXT;
}

static void
append_fitted(StringInfo out, const BiTargetColumn *column, Jsonb *value)
{
	if (column->fit)
		bi_fit_append(out, column->type, value);
	else
		(void) JsonbToCString(out, &value->root, VARSIZE(value));
}

/* What a path finds: nothing is null, one item is itself, several are an array. */
static void
append_path_value(StringInfo out, const BiTargetColumn *column, Datum output)
{
	Jsonb	   *none = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	Jsonb	   *found = DatumGetJsonbP(DirectFunctionCall4(jsonb_path_query_array, output, column->jsonpath,
														   JsonbPGetDatum(none), BoolGetDatum(true)));
	JsonbValue *item;
	bool		array;

	if (JB_ROOT_COUNT(found) == 0)
	{
		appendStringInfoString(out, "null");
		return;
	}
	item = getIthJsonbValueFromContainer(&found->root, 0);
	array = item->type == jbvBinary && JsonContainerIsArray(item->val.binary.data);
	if (JB_ROOT_COUNT(found) == 1 && (array || column->take != BI_TAKE_ARRAY || item->type == jbvNull))
		found = JsonbValueToJsonb(item);
	append_fitted(out, column, found);
}

/* A column whose value is the output as it is, and needs no look at it. */
static bool
is_plain(const BiTargetColumn *column, const BiResult *result)
{
	return column->whole && (result->output_json || column->take == BI_TAKE_TEXT);
}

bool
bi_writeback_must_find(const BiWriteback *wb, const BiResult *result)
{
	ListCell   *cell;

	foreach(cell, wb->target->columns)
		if (!is_plain(lfirst(cell), result))
			return true;
	return false;
}

static bool
any_needs_json(const BiWriteback *wb)
{
	ListCell   *cell;

	foreach(cell, wb->target->columns)
		if (needs_json(lfirst(cell)))
			return true;
	return false;
}

/* The column's value in cxt, NULL for the output as it is.  *output is json as jsonb, made when
 * it is first needed. */
static char *
find_value(MemoryContext cxt, const BiTargetColumn *column, const char *json, Datum *output)
{
	StringInfoData value;

	if (column->whole && !needs_json(column))
		return NULL;
	if (column->whole && !column->fit)
		return MemoryContextStrdup(cxt, json);
	if (*output == (Datum) 0)
		*output = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	initStringInfo(&value);
	if (column->whole)
		append_fitted(&value, column, DatumGetJsonbP(*output));
	else
		append_path_value(&value, column, *output);
	return MemoryContextStrdup(cxt, value.data);
}

BiFit
bi_writeback_find(const BiWriteback *wb, MemoryContext cxt, BiResult *result, char **why)
{
	const char *json = result->output_json ? result->output : bi_loose_json(result->output);
	Datum		output = (Datum) 0;
	ListCell   *cell;

	result->values = MemoryContextAllocZero(cxt, sizeof(char *) * list_length(wb->target->columns));
	if (wb->too_costly)
	{
		*why = wb->too_costly;
		return BI_TOO_COSTLY;
	}
	if (bi_heft_exceeds(json, strlen(json), OUTPUT_MEMORY_MAX))
	{
		*why = MemoryContextStrdup(cxt, psprintf("the output as JSON takes more than %zu MB of memory",
												 OUTPUT_MEMORY_MAX / 1024 / 1024));
		return BI_TOO_COSTLY;
	}
	if (any_needs_json(wb) && !result->output_json && !is_json_text(json))
	{
		*why = "the output is not JSON, which its write-back needs";
		return BI_NOT_JSON;
	}
	foreach(cell, wb->target->columns)
		result->values[foreach_current_index(cell)] = find_value(cxt, lfirst(cell), json, &output);
	return BI_FITS;
}

static void
append_value(StringInfo doc, const BiTargetColumn *column, const BiResult *result, int i)
{
	if (result->values && result->values[i])
		appendStringInfoString(doc, result->values[i]);
	else if (column->take == BI_TAKE_TEXT && !result->output_json)
		escape_json(doc, column->fit ? bi_fit_text(column->type, result->output) : result->output);
	else
		appendStringInfoString(doc, result->output);
}

/* A key is text.  A JSON key is the text of its value; what is no JSON is the text of a JSON string. */
static void
append_key(StringInfo doc, const BiTargetColumn *key, const char *text)
{
	StringInfoData value;

	initStringInfo(&value);
	if (is_cast_key(key, 'k') && !is_json_text(text))
		escape_json(&value, text);
	escape_json(doc, value.len > 0 ? value.data : text);
}

static void
append_row(StringInfo doc, const BiTarget *target, const BiResult *result)
{
	ListCell   *cell;

	appendStringInfo(doc, "{\"seq\":" INT64_FORMAT, result->seq);
	foreach(cell, target->keys)
	{
		int			i = foreach_current_index(cell);

		appendStringInfo(doc, ",\"k%d\":", i);
		append_key(doc, lfirst(cell), result->key ? list_nth(result->key, i) : result->record_id);
	}
	foreach(cell, target->columns)
	{
		appendStringInfo(doc, ",\"c%d\":", foreach_current_index(cell));
		append_value(doc, lfirst(cell), result, foreach_current_index(cell));
	}
	appendStringInfoChar(doc, '}');
}

static char *
build_document(const BiTarget *target, BiResult *const *results, int n)
{
	StringInfoData doc;

	initStringInfo(&doc);
	appendStringInfoChar(&doc, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&doc, ',');
		append_row(&doc, target, results[i]);
	}
	appendStringInfoChar(&doc, ']');
	return doc.data;
}

static int
compare_seq(const void *a, const void *b)
{
	int64		x = (*(BiResult *const *) a)->seq;
	int64		y = (*(BiResult *const *) b)->seq;

	return (x > y) - (x < y);
}

/* One UPDATE; those of results, in order of seq, that it found no row for are moved to
 * the front.  How many they are. */
static int
update_once(const BiWriteback *wb, BiResult **results, int n, int lock_ms)
{
	BiArgs		args = {0};
	int64		found;
	int			missing = 0;

	bi_sql_arg(&args, JSONOID, CStringGetTextDatum(build_document(wb->target, results, n)), false);
	found = bi_owner_run(wb->role, wb->carried, wb->sql, &args, lock_ms);
	for (int64 i = 0; i < found; i++)
	{
		BiResult	wanted = {.seq = bi_sql_int8(i, 1)};
		BiResult   *key = &wanted;
		BiResult  **hit = bsearch(&key, results, n, sizeof(BiResult *), compare_seq);

		if (hit)
			(*hit)->write_state = BI_WRITTEN;
	}
	for (int i = 0; i < n; i++)
		if (strcmp(results[i]->write_state, BI_TARGET_MISSING) == 0)
			results[missing++] = results[i];
	return missing;
}

void
bi_writeback_update(const BiWriteback *wb, BiResult *const *results, int n, int lock_ms)
{
	BiResult  **rest = palloc(sizeof(BiResult *) * (n + 1));
	int			tried;

	memcpy(rest, results, sizeof(BiResult *) * n);
	qsort(rest, n, sizeof(BiResult *), compare_seq);
	for (int i = 0; i < n; i++)
		rest[i]->write_state = BI_TARGET_MISSING;
	/* Deferred constraints are checked inside the UPDATE: at our commit they would run as us. */
	bi_owner_run(wb->role, wb->carried, "SET CONSTRAINTS ALL IMMEDIATE", NULL, lock_ms);
	/* Of several with an equal key one UPDATE takes one. */
	do
	{
		tried = n;
		n = update_once(wb, rest, n, lock_ms);
	} while (n > 0 && n < tried);
}
