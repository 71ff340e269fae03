/*
 * intake/trace.h: which columns of the target the values of a query's columns come from.
 */
#ifndef BI_TRACE_H
#define BI_TRACE_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

/* What was found.  palloc'd by bi_trace_columns, and never changed after it. */
typedef struct BiTrace
{
	List	   *guarded;		/* names of columns of the target, char * */
	List	   *other;			/* names of columns of the query that do not, or not only, come from
								 * columns of the target's row: char * */
} BiTrace;

/*
 * Finds the columns of the target that the values of these columns of the query (numbers from 1)
 * are computed from.  query is analysed and rewritten: views are subqueries of it.  key: the
 * numbers of the columns that make the row's key, and key_names their names in the target.
 *
 * Only columns of one entry count: the one that all key columns are taken from, as they are, if it
 * is the target, or of the same partitioned table.  Where the key does not come from there, nothing
 * is found.
 */
extern BiTrace bi_trace_columns(Query *query, const List *key, const List *key_names,
								const Bitmapset *sent, Oid target);

/* Returns the first of these columns (names, char *) of the target that the WHERE of the query, or
 * a condition of a join in it, looks at; NULL if it looks at none. */
extern const char *bi_trace_filter(Query *query, Oid target, const List *names);

#endif							/* BI_TRACE_H */
