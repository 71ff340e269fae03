/*
 * store/sql.c: runs the statements of this floor.
 *
 * Knows SPI, the switch to the owner of our tables and the arguments and results of
 * a statement.  Knows no table.  Called by all of store/.
 */
#include "postgres.h"

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
#include "utils/guc.h"
#include "utils/lsyscache.h"
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

/* Whoever owns our schema owns our tables: both were made by one script. */
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

int64
bi_sql_run_as_is(const char *sql, const BiArgs *args)
{
	static const BiArgs none = {0};
	MemoryContext cxt = CurrentMemoryContext;
	int			code;

	if (args == NULL)
		args = &none;
	code = SPI_execute_with_args(sql, args->n, (Oid *) args->types, (Datum *) args->values,
								 args->nulls, false, 0);
	/* SPI leaves its own behind, which ends with SPI_finish. */
	MemoryContextSwitchTo(cxt);
	if (code < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(code));
	return (int64) SPI_processed;
}

static void
set_for_run(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * A job's rows come faster than their statistics.  Each of our statements is written for
 * a btree, in its order and often with a LIMIT: guessed at as few rows, a bitmap of them
 * all and a sort would make every piece of a chunk cost as much as the chunk.
 */
int64
bi_sql_run(const char *sql, const BiArgs *args)
{
	Oid			user;
	int			context;
	int			level = NewGUCNestLevel();
	int64		processed;

	/* An error leaves both to the (sub)transaction's abort, which restores them. */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(bi_sql_owner(), context | SECURITY_LOCAL_USERID_CHANGE);
	set_for_run("search_path", "pg_catalog, pg_temp");
	set_for_run("enable_bitmapscan", "off");
	processed = bi_sql_run_as_is(sql, args);
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
	return processed;
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

bool
bi_sql_has_column(const char *table, const char *column)
{
	return get_attnum(get_relname_relid(table, get_namespace_oid("batchinf", false)), column) != InvalidAttrNumber;
}

bool
bi_sql_bool(int64 row, int col)
{
	bool		isnull;
	Datum		value = bi_sql_datum(row, col, &isnull);

	return !isnull && DatumGetBool(value);
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
