/*
 * store/sql.h: how store/ runs SQL: as the owner of our tables, with an empty search path, and
 * every return code checked.
 */
#ifndef BI_SQL_H
#define BI_SQL_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"
#include "utils/numeric.h"

#define BI_SQL_MAXARGS 32

/* The arguments of one statement, $1 first.  A variable of the caller, zeroed before the first
 * one. */
typedef struct BiArgs
{
	int			n;
	Oid			types[BI_SQL_MAXARGS];
	Datum		values[BI_SQL_MAXARGS];
	char		nulls[BI_SQL_MAXARGS];
} BiArgs;

extern void bi_sql_arg(BiArgs *args, Oid type, Datum value, bool isnull);
extern void bi_sql_arg_int8(BiArgs *args, int64 value);
extern void bi_sql_arg_int4(BiArgs *args, int32 value);
extern void bi_sql_arg_bool(BiArgs *args, bool value);
extern void bi_sql_arg_oid(BiArgs *args, Oid value);
extern void bi_sql_arg_text(BiArgs *args, const char *value);	/* NULL is SQL NULL */
extern void bi_sql_arg_time(BiArgs *args, TimestampTz value);	/* DT_NOEND is SQL NULL */

/* Adds n values as one array argument; nulls may be NULL. */
extern void bi_sql_arg_array(BiArgs *args, Oid elemtype, Datum *values, bool *nulls, int n);

/* The same of uuids. */
extern void bi_sql_arg_uuids(BiArgs *args, const pg_uuid_t *values, int n);

/* Connect and disconnect SPI, for functions in a user's own statement.  Phases of engine/xact.c
 * have it connected. */
extern void bi_sql_connect(void);
extern void bi_sql_finish(void);

/*
 * Runs one statement on our tables as their owner.  Returns the number of rows processed.  The
 * functions below read its result rows until the next bi_sql_run.  SPI must be connected.
 */
extern int64 bi_sql_run(const char *sql, const BiArgs *args);

/*
 * The same for a statement that a visit runs at every look or for every group.  The session keeps
 * its plan, made for all values of the arguments: to plan such a statement costs several times
 * what it costs to run it.  The text must not contain values.
 */
extern int64 bi_sql_rerun(const char *sql, const BiArgs *args);

/* The same as the current user, with their search path: for SQL of users. */
extern int64 bi_sql_run_as_is(const char *sql, const BiArgs *args);

/* Return column col (from 1) of row row (from 0) of the last result. */
extern int64 bi_sql_int8(int64 row, int col);	/* also int4, oid; 0 for NULL */
extern bool bi_sql_bool(int64 row, int col);
extern TimestampTz bi_sql_time(int64 row, int col);	/* DT_NOEND for NULL */
/* Returns its text form, in cxt; NULL for NULL. */
extern char *bi_sql_text(MemoryContext cxt, int64 row, int col);
/* Returns a copy of a numeric in the current context; NULL for NULL. */
extern Numeric bi_sql_numeric(int64 row, int col);
extern Datum bi_sql_datum(int64 row, int col, bool *isnull);

/* Returns a text[] as a list of char *, in cxt, NULL for a NULL in it; NIL for NULL. */
extern List *bi_sql_texts(MemoryContext cxt, int64 row, int col);

/* True if the table of schema batchinf has the column.  In a session, until ALTER EXTENSION
 * UPDATE, it may be that of an older version. */
extern bool bi_sql_has_column(const char *table, const char *column);

/* Return the schema of the functions and views that users call; its name quoted and palloc'd. */
extern Oid	bi_sql_schema_oid(void);
extern char *bi_sql_schema(void);

/* Return the owner of our tables, and the extension itself. */
extern Oid	bi_sql_owner(void);
extern Oid	bi_sql_extension(void);

#endif							/* BI_SQL_H */
