/*
 * store/statement.h: the text of the statements that write a target and look into it.
 */
#ifndef BI_STATEMENT_H
#define BI_STATEMENT_H

#include "lib/stringinfo.h"
#include "store/target.h"

/* True if the key travels as the text of a JSON value, which is cast: json_to_recordset would
 * make an SQL NULL of JSON's null. */
extern bool bi_statement_is_cast_key(const BiTargetColumn *key);

/* Returns an UPDATE of the rows of document $1 with the guards $2 (bytea[]), palloc'd; it returns
 * the number of each that it has written.  NULL if there is nothing to set: the keys are all that
 * is filled.  noted: it returns also what the row held before (note.h, the place is $3), the
 * fingerprint of what it holds then, and these columns of it (names, char *). */
extern char *bi_statement_update(const BiTarget *target, bool noted, const List *returned);

/* Returns a DELETE of the rows of the table that have the keys of a row of document $1.  noted: it
 * notes what each row held in these columns (names, char *), in the place $3; NIL: nothing. */
extern char *bi_statement_remove(const BiTarget *target, const List *noted);

/* The same; it notes the fingerprint of what each row held in the target's columns, in hex. */
extern char *bi_statement_remove_prints(const BiTarget *target);

/* Returns a DELETE of the rows of document $1 that still have the fingerprints $2 (bytea[]); it
 * returns their numbers. */
extern char *bi_statement_take_back(const BiTarget *target);

/* Returns a SELECT of the rows of the same that are in the table: number, whether the table has the
 * values already, and whether the row may be written by the target's write_if.  compare is false
 * for a role that may not read the values: they are not there then. */
extern char *bi_statement_look(const BiTarget *target, bool compare);

/* Returns an UPDATE of the rows of document $1 whose columns still have the fingerprints $2
 * (bytea[]); it returns the number of each that it has written.  Values of JSON, array and row
 * types travel as their texts. */
extern char *bi_statement_put_back(const BiTarget *target);

/* Returns a SELECT of the values of the rows of document $1, one JSON array of an object for each,
 * with the names of the columns. */
extern char *bi_statement_show(const BiTarget *target);

/* Returns a SELECT of the rows of document $1 that are in the table: number, and the fingerprints
 * of these columns (cstrings). */
extern char *bi_statement_guard(const BiTarget *target, const List *names);

/* Parts of such a text: */

/* Returns the qualified name of a column's type, with its modifier, palloc'd. */
extern char *bi_statement_type(const BiTargetColumn *column);

/* Appends ", k0 type, k1 type" for keys (prefix k), the same with c for columns (prefix c); prefix
 * o: for columns, where those that are cast are texts. */
extern void bi_statement_defs(StringInfo sql, const List *columns, char prefix);

/* Appends that the value is equal to the i-th key of row w of the document.  Values of a domain are
 * cast to the type that the operator takes.  Otherwise an operator of the same name and schema that
 * takes the domain itself would be preferred: anybody may make one. */
extern void bi_statement_has_key(StringInfo sql, const BiTargetColumn *key, int i,
								 const char *value);

/* Appends the value that row w of the document has for the i-th column, as its type; of a
 * document whose columns are those of prefix o. */
extern void bi_statement_old(StringInfo sql, const BiTargetColumn *column, int i);

/* Appends the fingerprint of these columns of t. */
extern void bi_statement_print(StringInfo sql, const List *names);

/* Appends ", t.name" for each of the names. */
extern void bi_statement_columns(StringInfo sql, const List *names);

#endif							/* BI_STATEMENT_H */
