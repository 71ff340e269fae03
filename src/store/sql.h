/*
 * store/sql.h: how this floor runs SQL: as the owner of our tables, with an
 * empty search path, every return code checked.
 */
#ifndef BI_SQL_H
#define BI_SQL_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define BI_SQL_MAXARGS 24

/* The arguments of one statement, $1 first. */
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

/* A column of n values as one array argument; nulls may be NULL. */
extern void bi_sql_arg_array(BiArgs *args, Oid elemtype, Datum *values, bool *nulls, int n);

/* SPI, for functions in a user's own statement.  Phases of engine/xact.c have it. */
extern void bi_sql_connect(void);
extern void bi_sql_finish(void);

/*
 * Runs one statement on our tables as their owner: rows processed.  Its result rows, if
 * any, are read by the functions below until the next bi_sql_run.  SPI must be
 * connected.
 */
extern int64 bi_sql_run(const char *sql, const BiArgs *args);

/* The same as whoever the current user is and with his search path: user SQL. */
extern int64 bi_sql_run_as_is(const char *sql, const BiArgs *args);

/* Column col (from 1) of row row (from 0) of the last result. */
extern int64 bi_sql_int8(int64 row, int col);	/* also int4, oid; 0 for NULL */
extern bool bi_sql_bool(int64 row, int col);
extern TimestampTz bi_sql_time(int64 row, int col);	/* DT_NOEND for NULL */
extern char *bi_sql_text(MemoryContext cxt, int64 row, int col);	/* its text form, NULL for NULL */
extern Datum bi_sql_datum(int64 row, int col, bool *isnull);

/* False where the table (of schema batchinf) is that of an older version: in a session, until
 * ALTER EXTENSION UPDATE. */
extern bool bi_sql_has_column(const char *table, const char *column);

/* The owner of our tables, the extension itself. */
extern Oid	bi_sql_owner(void);
extern Oid	bi_sql_extension(void);

#endif							/* BI_SQL_H */
