/*
 * store/statement.h: the text of the statements that write a target and look into it.
 */
#ifndef BI_STATEMENT_H
#define BI_STATEMENT_H

#include "store/target.h"

/* True if the key travels as the text of a JSON value, which is cast: json_to_recordset would
 * make an SQL NULL of JSON's null. */
extern bool bi_statement_is_cast_key(const BiTargetColumn *key);

/* Returns an UPDATE of the rows of document $1, palloc'd; it returns the seq of each that it has
 * written. */
extern char *bi_statement_update(const BiTarget *target);

/* Returns a SELECT of the rows of document $1 that are in the table: seq, and whether the table
 * has the values already.  compare is false for a role that may not read them: false for each. */
extern char *bi_statement_look(const BiTarget *target, bool compare);

#endif							/* BI_STATEMENT_H */
