/*
 * store/sql.c: runs the statements of store/.
 *
 * Knows SPI, the switch to the owner of our tables and the arguments and results of
 * a statement.  Knows no table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/texts.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

void
bi_sql_arg(BiArgs *args, Oid type, Datum value, bool isnull)
{
	int			i = args->n++;

	if (i >= BI_SQL_MAXARGS)
		elog(ERROR, "too many arguments for one statement");
	args->types[i] = type;
	args->values[i] = value;
	args->nulls[i] = isnull ? 'n' : ' ';
}

void
bi_sql_arg_int8(BiArgs *args, int64 value)
{
	bi_sql_arg(args, INT8OID, Int64GetDatum(value), false);
}

void
bi_sql_arg_int4(BiArgs *args, int32 value)
{
	bi_sql_arg(args, INT4OID, Int32GetDatum(value), false);
}

void
bi_sql_arg_bool(BiArgs *args, bool value)
{
	bi_sql_arg(args, BOOLOID, BoolGetDatum(value), false);
}

void
bi_sql_arg_oid(BiArgs *args, Oid value)
{
	bi_sql_arg(args, OIDOID, ObjectIdGetDatum(value), false);
}

void
bi_sql_arg_text(BiArgs *args, const char *value)
{
	bi_sql_arg(args, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
bi_sql_arg_time(BiArgs *args, TimestampTz value)
{
	bi_sql_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(value), TIMESTAMP_IS_NOEND(value));
}

void
bi_sql_arg_array(BiArgs *args, Oid elemtype, Datum *values, bool *nulls, int n)
{
	int			dims[1] = {n};
	int			bounds[1] = {1};
	int16		len;
	bool		byval;
	char		align;
	ArrayType  *array;

	get_typlenbyvalalign(elemtype, &len, &byval, &align);
	array = n == 0 ? construct_empty_array(elemtype)
		: construct_md_array(values, nulls, 1, dims, bounds, elemtype, len, byval, align);
	bi_sql_arg(args, get_array_type(elemtype), PointerGetDatum(array), false);
}

void
bi_sql_arg_uuids(BiArgs *args, const pg_uuid_t *values, int n)
{
	Datum	   *datums = palloc(sizeof(Datum) * (n + 1));

	for (int i = 0; i < n; i++)
		datums[i] = UUIDPGetDatum(&values[i]);
	bi_sql_arg_array(args, UUIDOID, datums, NULL, n);
}

void
bi_sql_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
bi_sql_finish(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

Oid
bi_sql_extension(void)
{
	return get_extension_oid("batchinf", true);
}

/* Returns the owner of our schema, who also owns our tables: one script made both. */
Oid
bi_sql_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACENAME, CStringGetDatum("batchinf"));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"batchinf\" is not installed in this database")));
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Plans that the session keeps, by the texts of their statements. */
typedef struct KeptPlan
{
	char	   *sql;
	SPIPlanPtr	plan;
} KeptPlan;

static List *kept_plans = NIL;

/* Returns the plan of a statement, made at its first use. */
static SPIPlanPtr
get_kept_plan(const char *sql, const BiArgs *args)
{
	KeptPlan   *kept;
	SPIPlanPtr	plan;
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, kept_plans)
	{
		kept = lfirst(cell);
		if (strcmp(kept->sql, sql) == 0)
			return kept->plan;
	}
	plan = SPI_prepare_cursor(sql, args->n, (Oid *) args->types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	old = MemoryContextSwitchTo(TopMemoryContext);
	kept = palloc(sizeof(KeptPlan));
	kept->sql = pstrdup(sql);
	kept->plan = plan;
	kept_plans = lappend(kept_plans, kept);
	MemoryContextSwitchTo(old);
	SPI_keepplan(plan);
	return plan;
}

/* Runs a statement as the current user; keep: by its kept plan. */
static int64
execute(const char *sql, const BiArgs *args, bool keep)
{
	static const BiArgs none = {0};
	MemoryContext cxt = CurrentMemoryContext;
	int			code;

	if (args == NULL)
		args = &none;
	/* Otherwise it stays until SPI_finish: a large job runs thousands of statements. */
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
	if (keep)
		code = SPI_execute_plan(get_kept_plan(sql, args), (Datum *) args->values, args->nulls,
								false, 0);
	else
		code = SPI_execute_with_args(sql, args->n, (Oid *) args->types, (Datum *) args->values,
									 args->nulls, false, 0);
	/* Go back to the caller's context: SPI leaves its own one current. */
	MemoryContextSwitchTo(cxt);
	if (code < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(code));
	return (int64) SPI_processed;
}

int64
bi_sql_run_as_is(const char *sql, const BiArgs *args)
{
	return execute(sql, args, false);
}

static void
set_for_run(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/*
 * A job's rows come faster than their statistics.  Each of our statements is written for
 * a btree, in its order and often with a LIMIT: guessed at as few rows, a bitmap of them
 * all and a sort would make every piece of a chunk cost as much as the chunk.
 */
static int64
run_as_owner(const char *sql, const BiArgs *args, bool keep)
{
	Oid			user;
	int			context;
	int			level = NewGUCNestLevel();
	int64		processed;

	/* An error leaves both to the (sub)transaction's abort, which restores them. */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(bi_sql_owner(), context | SECURITY_LOCAL_USERID_CHANGE);
	set_for_run("search_path", "pg_catalog, pg_temp");
	/* Our statements read few rows by an index, whatever the statistics say: tables grow from
	 * nothing to millions of rows within a minute. */
	set_for_run("enable_bitmapscan", "off");
	set_for_run("enable_seqscan", "off");
	set_for_run("jit", "off");
	processed = execute(sql, args, keep);
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
	return processed;
}

int64
bi_sql_run(const char *sql, const BiArgs *args)
{
	return run_as_owner(sql, args, false);
}

int64
bi_sql_rerun(const char *sql, const BiArgs *args)
{
	return run_as_owner(sql, args, true);
}

Datum
bi_sql_datum(int64 row, int col, bool *isnull)
{
	Assert(SPI_tuptable != NULL && row < (int64) SPI_processed);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, isnull);
}

int64
bi_sql_int8(int64 row, int col)
{
	bool		isnull;
	Datum		value = bi_sql_datum(row, col, &isnull);

	if (isnull)
		return 0;
	switch (SPI_gettypeid(SPI_tuptable->tupdesc, col))
	{
		case INT4OID:
			return DatumGetInt32(value);
		case OIDOID:
			return DatumGetObjectId(value);
		default:
			return DatumGetInt64(value);
	}
}

List *
bi_sql_texts(MemoryContext cxt, int64 row, int col)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	List	   *texts = NIL;
	bool		isnull;
	Datum		array = bi_sql_datum(row, col, &isnull);

	if (!isnull)
		texts = bi_texts_list(array);
	MemoryContextSwitchTo(old);
	return texts;
}

Oid
bi_sql_schema_oid(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	Oid			schema = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(bi_sql_extension()));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return schema;
}

char *
bi_sql_schema(void)
{
	return pstrdup(quote_identifier(get_namespace_name(bi_sql_schema_oid())));
}

bool
bi_sql_has_column(const char *table, const char *column)
{
	return get_attnum(get_relname_relid(table, get_namespace_oid("batchinf", false)),
					  column) != InvalidAttrNumber;
}

bool
bi_sql_bool(int64 row, int col)
{
	bool		isnull;
	Datum		value = bi_sql_datum(row, col, &isnull);

	return !isnull && DatumGetBool(value);
}

Numeric
bi_sql_numeric(int64 row, int col)
{
	bool		isnull;
	Datum		value = bi_sql_datum(row, col, &isnull);

	return isnull ? NULL : DatumGetNumericCopy(value);
}

TimestampTz
bi_sql_time(int64 row, int col)
{
	bool		isnull;
	Datum		value = bi_sql_datum(row, col, &isnull);
	TimestampTz noend;

	TIMESTAMP_NOEND(noend);
	return isnull ? noend : DatumGetTimestampTz(value);
}

char *
bi_sql_text(MemoryContext cxt, int64 row, int col)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col);

	return value ? MemoryContextStrdup(cxt, value) : NULL;
}
