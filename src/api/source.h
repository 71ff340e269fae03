/*
 * api/source.h: the user's query as a stream of rows.
 */
#ifndef BI_SOURCE_H
#define BI_SOURCE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

typedef struct BiSource BiSource;

/*
 * Opens the query as the current user, in his snapshot and with his rights; ereports
 * what is no single SELECT, VALUES or TABLE.  SPI must be connected.
 */
extern BiSource *bi_source_open(const char *query);

extern TupleDesc bi_source_columns(const BiSource *source);

/* Number of the column of that name, 0: there is none. */
extern int	bi_source_column(const BiSource *source, const char *name);

/* These columns (from 1) make the key of a row. */
extern void bi_source_set_key(BiSource *source, const List *columns);

/* Rows are only wanted with the text forms of these columns, from 1. */
extern void bi_source_want(BiSource *source, int column);

typedef struct BiRow
{
	char	  **values;			/* text forms of the wanted columns, as the user's settings have them */
	char	   *record_id;		/* the key as text; NULL: a part of it is NULL */
	List	   *key;			/* its parts, if there are several; else NIL */
} BiRow;

/* The next row, valid until the next call; NULL after the last. */
extern BiRow *bi_source_next(BiSource *source);

#endif							/* BI_SOURCE_H */
