/*
 * store/target.h: the table that outputs are written back to, its key columns
 * and the columns that take a part of the output.
 */
#ifndef BI_TARGET_H
#define BI_TARGET_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/job.h"

/* How a column takes a value. */
typedef enum BiTake
{
	BI_TAKE_TEXT,				/* through its input function, from text */
	BI_TAKE_JSON,				/* json or jsonb: any JSON value */
	BI_TAKE_ARRAY,				/* an array: from a JSON array */
	BI_TAKE_COMPOSITE			/* a row type: from a JSON object */
} BiTake;

typedef struct BiTargetColumn
{
	char	   *name;
	Oid			type;
	int32		typmod;
	BiTake		take;
	char	   *path;			/* SQL/JSON path into the output; NULL for a key */
	bool		whole;			/* path is "$": the output as it is */
	bool		fit;			/* values may have to be changed for the type (fit.h) */
	Datum		jsonpath;		/* compiled path unless whole */
	char	   *equals;			/* of a key: its qualified equality operator */
} BiTargetColumn;

typedef struct BiTarget
{
	Oid			relid;
	char	   *name;			/* qualified and quoted */
	List	   *keys;			/* of BiTargetColumn */
	List	   *columns;
} BiTarget;

/*
 * Looks everything up, palloc'd in the current context; ereports what is wrong with it:
 * no such table or column, a kind of relation or column that cannot be written.
 */
extern BiTarget *bi_target_open(Oid relid, const List *key, const char *write_back);

/*
 * More for batch_submit: the current user's rights, and types that cannot take the output.
 * embedding_size: how many numbers each embedding has, 0: not known.
 */
extern void bi_target_check(const BiTarget *target, const BiSpec *spec, int embedding_size);

/* Names of the primary key's columns; NIL without one. */
extern List *bi_target_primary_key(Oid relid);

/* Schema-qualified, quoted name. */
extern char *bi_target_name(Oid relid);

#endif							/* BI_TARGET_H */
