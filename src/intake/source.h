/*
 * intake/source.h: the user's query as a stream of rows.
 */
#ifndef BI_SOURCE_H
#define BI_SOURCE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

typedef struct BiSource BiSource;

/*
 * Opens the query as the current user, in their snapshot and with their rights.  Returns it in
 * the current memory context; it lives until SPI_finish.  Raises an error unless it is one
 * SELECT, VALUES or TABLE.  SPI must be connected for all functions here.
 */
extern BiSource *bi_source_open(const char *query);

/* Returns the columns of the query.  They belong to the source. */
extern TupleDesc bi_source_columns(const BiSource *source);

/* Returns the number of the column of that name, from 1; 0 if there is no such column. */
extern int	bi_source_column(const BiSource *source, const char *name);

/* Returns the query, analysed and rewritten: views are subqueries of it.  It belongs to the
 * source. */
extern Query *bi_source_query(const BiSource *source);

/* Returns the snapshot that the query reads in.  It belongs to the source. */
extern Snapshot bi_source_snapshot(const BiSource *source);

/* Returns the numbers of the key's columns, int, from 1. */
extern const List *bi_source_key(const BiSource *source);

/* Says which columns (a list of int, from 1) make the key of a row. */
extern void bi_source_set_key(BiSource *source, const List *columns);

/* Says which columns (a list of int, from 1) are carried with the record. */
extern void bi_source_carry(BiSource *source, const List *columns);

/* Says that rows are read with the text form of this column, from 1.  Others are left out. */
extern void bi_source_want(BiSource *source, int column);

/* A row of the query.  It belongs to the source, until the next one is read. */
typedef struct BiRow
{
	char	  **values;			/* one for each column of the query: its text form under the user's
								 * settings; NULL if it is null or not wanted */
	char	   *record_id;		/* the key as text; NULL if a part of it is null */
	List	   *key;			/* the parts of a key of several columns, char *; else NIL */
	List	   *columns;		/* the values of the carried columns, rendered as a key, char *;
								 * NULL for a null */
} BiRow;

/* Returns the next row, valid until the next call; NULL after the last. */
extern BiRow *bi_source_next(BiSource *source);

/* Ends the query: no more rows are read, and it holds no buffer and no plan any more. */
extern void bi_source_close(BiSource *source);

#endif							/* BI_SOURCE_H */
