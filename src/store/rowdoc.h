/*
 * store/rowdoc.h: answers as rows in the JSON document that a statement on the target takes.
 */
#ifndef BI_ROWDOC_H
#define BI_ROWDOC_H

#include "postgres.h"

#include "store/result.h"
#include "store/target.h"

/* Returns the document of n results, or items, whose values have been found, palloc'd; keys_only:
 * without their values.  Members are as statement.c reads them. */
extern char *bi_rowdoc_build(const BiTarget *target, BiResult *const *results, int n,
							 bool keys_only);

/*
 * Returns the values of n results, or items, that have been found, as the types of the target's
 * columns take them: a JSON array of objects, palloc'd.  Reads no row and writes none; what the
 * types do they do as the current user.  Raises an error if a type refuses a value.  Needs SPI.
 */
extern char *bi_rowdoc_show(const BiTarget *target, BiResult *const *results, int n);

#endif							/* BI_ROWDOC_H */
