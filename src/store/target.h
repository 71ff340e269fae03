/*
 * store/target.h: the table that outputs are written back to, its key columns and the columns
 * that take a part of the output.
 */
#ifndef BI_TARGET_H
#define BI_TARGET_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/fill.h"
#include "store/job.h"
#include "utils/acl.h"

/* How a column takes a value. */
typedef enum BiTake
{
	BI_TAKE_TEXT,				/* through its input function, from text */
	BI_TAKE_JSON,				/* json or jsonb: any JSON value */
	BI_TAKE_ARRAY,				/* an array: from a JSON array */
	BI_TAKE_COMPOSITE			/* a row type: from a JSON object */
} BiTake;

/* A column of a target, in the context of its BiTarget.  target.c fills it; nobody changes it. */
typedef struct BiTargetColumn
{
	char	   *name;
	Oid			type;
	int32		typmod;
	Oid			collation;
	BiTake		take;
	BiFill		fill;			/* what fills it; not of a key */
	bool		whole;			/* its path is "$": the column takes the output as it is */
	bool		fit;			/* values may have to be changed for the type (fit.h) */
	Datum		jsonpath;		/* the compiled path; 0 if whole, or if it has none */
	bool		is_key;			/* of a column that is filled: it is one of the keys, too */
	int			place;			/* of a key: that column's place among the columns, from 0; -1: it
								 * is a column of the query only */
	char	   *equals;			/* of a key: its qualified equality operator */
	char	   *operand;		/* of a key: the qualified type it takes; NULL if polymorphic */
} BiTargetColumn;

/* A target as it is at one moment.  Made by bi_target_open, which alone writes it; valid while
 * the locks of its transaction keep the table as it is. */
typedef struct BiTarget
{
	Oid			relid;
	char	   *name;			/* qualified and quoted */
	bool		is_view;		/* its rows are written by INSTEAD OF triggers */
	bool		is_remote;		/* its rows, or some of them, may be in a foreign table */
	BiWriteMode write_mode;
	List	   *keys;			/* of BiTargetColumn: what finds a row.  Of an upsert its arbiter,
								 * of a replace the value that is replaced, of an insert none */
	List	   *columns;		/* of BiTargetColumn */
	List	   *sources;		/* char *: the query's columns that fill some (BiSpec.columns) */
	Datum		each;			/* compiled path to the items of an output; 0: it is one item */
	BiWriteIf	write_if;		/* which rows are written.  bi_aim_open sets it and the next two */
	List	   *guarded;		/* names of the columns that must hold what they held, cstrings */
	bool		guard_lost;		/* one of them was dropped: no row holds it */
} BiTarget;

/*
 * Opens a target, palloc'd in the current context, with the key, write_back, write_mode, conflict,
 * replace_by, each and columns of a job; the names are the present ones.  Raises an error if there
 * is no such table or column, or a kind of relation (kind.h) or column that cannot be
 * written.
 */
extern BiTarget *bi_target_open(Oid relid, const BiSpec *spec);

/* Opens a table to read rows by this key, without columns to write. */
extern BiTarget *bi_target_open_key(Oid relid, const List *key);

/* Opens a table to add rows with these columns, whatever they are filled with. */
extern BiTarget *bi_target_open_row(Oid relid, const List *names);

/* Returns the names of the table's columns by their numbers, cstrings; NULL in the place of one
 * that was dropped or is generated. */
extern List *bi_target_row_names(Oid relid);

/* Returns the names of the columns that a write changes in a row that is there; they are the
 * target's. */
static inline List *
bi_target_column_names(const BiTarget *target)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		if (!column->is_key)
			names = lappend(names, column->name);
	}
	return names;
}

/* Returns the names of all columns that a write fills; they are the target's. */
static inline List *
bi_target_filled_names(const BiTarget *target)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, target->columns)
		names = lappend(names, ((BiTargetColumn *) lfirst(cell))->name);
	return names;
}

/* True if a write can look at a row of the target and be sure that it stays so until it has
 * written it. */
static inline bool
bi_target_can_recheck(const BiTarget *target)
{
	return !target->is_view;
}

/* True if the name is one of these names of columns, cstrings. */
static inline bool
bi_target_names_have(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* Returns why the paths of the target cost too much, with the first column's name, palloc'd; NULL
 * if they do not.  Interruptible. */
extern char *bi_target_refuse_paths(const BiTarget *target);

/* True if the table has a unique index on exactly the key's columns that an upsert can use; of a
 * foreign table it is not known here. */
extern bool bi_target_is_unique(const BiTarget *target);

/* Returns the names of the primary key's columns; NIL if there is none. */
extern List *bi_target_primary_key(Oid relid);

/* Returns the name of the table, qualified and quoted, palloc'd; NULL if there is none. */
extern char *bi_target_name(Oid relid);

/* Returns the topmost table of a partition; of another table that table itself. */
extern Oid	bi_target_root(Oid relid);

/* Returns the owner of an object by a cache of its catalog and the column with the owner;
 * InvalidOid if there is no such object. */
extern Oid	bi_target_owner_in(int cache, AttrNumber column, Oid object);

/* The same of a table. */
extern Oid	bi_target_owner(Oid relid);

/* Returns the word for one of INSERT, UPDATE, DELETE and SELECT, a constant. */
extern const char *bi_target_right(AclMode mode);

/* True if the role has this right on the table or on the column, which must exist. */
extern bool bi_target_has_right(Oid relid, const char *column, Oid role, AclMode mode);

#endif							/* BI_TARGET_H */
