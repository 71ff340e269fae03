/*
 * store/addition.h: the text of the statements that add rows to a target.
 */
#ifndef BI_ADDITION_H
#define BI_ADDITION_H

#include "postgres.h"

#include "store/target.h"

/* All take the rows as one JSON document, as statement.c says. */

/* Returns an INSERT of the rows of document $1, in the order of their numbers.  printed: it returns
 * the fingerprint of each row that it has added, and these columns of it (names, char *). */
extern char *bi_addition_insert(const BiTarget *target, bool printed, const List *returned);

/* Of an upsert.  Returns a SELECT of the numbers of those rows of document $1 that have the same
 * keys as a later one. */
extern char *bi_addition_repeated(const BiTarget *target);

/* Returns an INSERT of those rows of document $1 whose keys are not in the table; it returns the
 * numbers of those that it has added, and a last row for bi_addition_check. */
extern char *bi_addition_add(const BiTarget *target);

/* The same; it also returns the fingerprint of each row that it has added, and these columns of it
 * (names, char *).  They are NULL for a row with a NULL in its key, if others were added before it
 * meanwhile. */
extern char *bi_addition_add_noted(const BiTarget *target, const List *returned);

/* Returns how many rows such an INSERT has added, of the rows found that it has returned, which are
 * the last result.  Raises an error if it has added others, whose keys are not in the document. */
extern int64 bi_addition_check(int64 found);

/* Returns an INSERT of the rows of document $1, with the values of identity columns as they are.
 * Values of JSON, array and row types travel as their texts. */
extern char *bi_addition_put_back(const BiTarget *target);

#endif							/* BI_ADDITION_H */
