/*
 * store/fill.h: what fills a column of the target: a member of write_back.
 */
#ifndef BI_FILL_H
#define BI_FILL_H

#include "postgres.h"

#include "base/json.h"
#include "nodes/pg_list.h"

/* Where a column's value comes from. */
typedef enum BiFillKind
{
	BI_FILL_PATH,				/* the output, or an item of it, by an SQL/JSON path */
	BI_FILL_COLUMN,				/* a column of the query, as it was sent: {"column": "id"} */
	BI_FILL_ORDINAL,			/* the number of the item, from 1: {"ordinal": true} */
	BI_FILL_CONST				/* the same in all rows: {"const": …} */
} BiFillKind;

/* What fills a column.  Made by bi_fill_read. */
typedef struct BiFill
{
	BiFillKind	kind;
	char	   *text;			/* path, name of the column, or constant as JSON; else NULL */
} BiFill;

/* Reads a member of write_back, in the current context.  column: its name, for errors, which are
 * raised for what says nothing of these four. */
extern BiFill bi_fill_read(const char *column, const BiJson *value);

/* Returns the names of the query's columns that write_back, a JSON object, takes values from, each
 * once, char *, palloc'd; NIL for NULL. */
extern List *bi_fill_columns(const char *write_back);

#endif							/* BI_FILL_H */
