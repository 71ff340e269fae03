/*
 * store/keydoc.h: keys of rows in the JSON document that a statement on the target takes.
 */
#ifndef BI_KEYDOC_H
#define BI_KEYDOC_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "store/target.h"

/* Appends the number, as "seq", and the key's members of a row's object, without its braces.  The
 * key is given as text: record_id, or key (char *) where it has several columns.  Members are as
 * statement.c reads them. */
extern void bi_keydoc_append(StringInfo doc, const BiTarget *target, int number,
							 const char *record_id, const List *key);

/* Appends the i-th key's member; value is its JSON text. */
extern void bi_keydoc_append_value(StringInfo doc, const BiTargetColumn *key, int i,
								   const char *value);

#endif							/* BI_KEYDOC_H */
