/*
 * base/dialect.h: which JSON Schemas we understand, before any value is seen.
 */
#ifndef BI_DIALECT_H
#define BI_DIALECT_H

#include "base/json.h"

/* NULL where it is a schema that we can check; else the reason in one line. */
extern char *bi_dialect_refuse(const BiJson *schema);

#endif							/* BI_DIALECT_H */
