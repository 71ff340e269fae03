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
#include "store/aim.h"
#include "store/carry.h"
#include "store/fit.h"
#include "store/owner.h"
#include "store/path.h"
#include "store/sql.h"
#include "store/statement.h"
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
	char	   *update;
	char	   *look;			/* for rows that the UPDATE has not found */
	char	   *too_costly;		/* why no path is applied, or NULL: the job was submitted by an older version */
	BiCarried  *carried;
};

/* True if the role may read what it is to write. */
static bool
may_read(const BiTarget *target, Oid role)
{
	ListCell   *cell;

	if (pg_class_aclcheck(target->relid, role, ACL_SELECT) == ACLCHECK_OK)
		return true;
	foreach(cell, target->columns)
	{
		AttrNumber	attnum = get_attnum(target->relid, ((BiTargetColumn *) lfirst(cell))->name);

		if (pg_attribute_aclcheck(target->relid, attnum, role, ACL_SELECT) != ACLCHECK_OK)
			return false;
	}
	return true;
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
	wb->role = bi_owner_writer(job->owner, wb->target->relid);
	wb->update = bi_statement_update(wb->target);
	wb->look = bi_statement_look(wb->target, may_read(wb->target, wb->role));
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
	if (bi_statement_is_cast_key(key) && !is_json_text(text))
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

/* The one of results[0..n), in order of seq, with that seq; NULL if there is none. */
static BiResult *
find_seq(BiResult **results, int n, int64 seq)
{
	BiResult	wanted = {.seq = seq};
	BiResult   *key = &wanted;
	BiResult  **hit = bsearch(&key, results, n, sizeof(BiResult *), compare_seq);

	return hit ? *hit : NULL;
}

/* Runs a statement that takes these rows as a document; how many rows it returns. */
static int64
run_with_rows(const BiWriteback *wb, const char *sql, BiResult **results, int n, int lock_ms)
{
	BiArgs		args = {0};

	bi_sql_arg(&args, JSONOID, CStringGetTextDatum(build_document(wb->target, results, n)), false);
	return bi_owner_run(wb->role, wb->carried, sql, &args, lock_ms);
}

/* One UPDATE; those of results, in order of seq, that it found no row for are moved to
 * the front.  How many they are. */
static int
update_once(const BiWriteback *wb, BiResult **results, int n, int lock_ms)
{
	int64		found = run_with_rows(wb, wb->update, results, n, lock_ms);
	int			missing = 0;

	for (int64 i = 0; i < found; i++)
	{
		BiResult   *hit = find_seq(results, n, bi_sql_int8(i, 1));

		if (hit)
			hit->write_state = BI_WRITTEN;
	}
	for (int i = 0; i < n; i++)
		if (strcmp(results[i]->write_state, BI_TARGET_MISSING) == 0)
			results[missing++] = results[i];
	return missing;
}

/* The UPDATE has not touched these.  A row that is there, and that the role sees, was kept as it
 * was: by a trigger that leaves out what changes nothing, or for a reason of the table's own. */
static void
look_for(const BiWriteback *wb, BiResult **results, int n, int lock_ms)
{
	int64		found = run_with_rows(wb, wb->look, results, n, lock_ms);

	for (int64 i = 0; i < found; i++)
	{
		BiResult   *hit = find_seq(results, n, bi_sql_int8(i, 1));

		if (hit == NULL)
			continue;
		hit->write_state = bi_sql_bool(i, 2) ? BI_WRITTEN : BI_WRITE_FAILED;
		if (!bi_sql_bool(i, 2))
			hit->write_error = pstrdup("a trigger or policy of the table kept the row from being updated");
	}
}

void
bi_writeback_update(const BiWriteback *wb, BiResult *const *results, int n, int lock_ms)
{
	BiResult  **rest = palloc(sizeof(BiResult *) * (n + 1));
	int			tried;

	memcpy(rest, results, sizeof(BiResult *) * n);
	qsort(rest, n, sizeof(BiResult *), compare_seq);
	for (int i = 0; i < n; i++)
	{
		rest[i]->write_state = BI_TARGET_MISSING;
		rest[i]->write_error = NULL;
	}
	/* Deferred constraints are checked inside the UPDATE: at our commit they would run as us. */
	bi_owner_run(wb->role, wb->carried, "SET CONSTRAINTS ALL IMMEDIATE", NULL, lock_ms);
	/* Of several with an equal key one UPDATE takes one. */
	do
	{
		tried = n;
		n = update_once(wb, rest, n, lock_ms);
	} while (n > 0 && n < tried);
	if (n > 0)
		look_for(wb, rest, n, lock_ms);
}
