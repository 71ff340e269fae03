/*
 * store/oldrow.h: rows that a replace has deleted are added to their table again.
 */
#ifndef BI_OLDROW_H
#define BI_OLDROW_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/carry.h"
#include "store/sql.h"

/* Where rows are added, and with whose rights.  The caller fills it. */
typedef struct BiOldRows
{
	Oid			relid;
	Oid			role;
	const BiCarried *carried;
	bool		by_number;		/* columns have the numbers that they had */
} BiOldRows;

/* Rows that are being added.  Made by bi_oldrow_begin. */
typedef struct BiOldAddition BiOldAddition;

/* All of this needs SPI, and raises an error for a row that the table does not take: call it in a
 * subtransaction. */

/* Runs a statement as the role, under settings that make values of their texts.  Returns how many
 * rows it processed. */
extern int64 bi_oldrow_run(const BiOldRows *rows, const char *sql, const BiArgs *args);

/* Begins to add rows, in the current context. */
extern BiOldAddition *bi_oldrow_begin(const BiOldRows *rows);

/* Adds the rows of a piece of batchinf.replaced; names: its columns. */
extern void bi_oldrow_add(BiOldAddition *addition, const List *names, const char *old);

/* Adds what is left.  Returns how many rows were added. */
extern int64 bi_oldrow_end(BiOldAddition *addition);

#endif							/* BI_OLDROW_H */
