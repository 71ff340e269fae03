/*
 * base/schema.h: does a JSON value match a JSON Schema?  The part of the 2020-12
 * standard that providers accept for structured output, and what is beside it.
 */
#ifndef BI_SCHEMA_H
#define BI_SCHEMA_H

#include "base/json.h"

/* NULL where schema is one we can check; else the reason in one line.  Refused are malformed
 * values of known keywords, references that are not local or name nothing or loop, and
 * keywords that assert what we cannot check; formats, annotations and unknown keywords
 * are passed over.  Interruptible. */
extern char *bi_schema_refuse(const BiJson *schema);

/* NULL where value matches; else the first mismatch in one line of UTF-8 with its place,
 * as in: "/items/3/price" is not of type number.  Bounded in depth and work: a value
 * that would cost more is a mismatch too.  Interruptible.  The schema must be one that
 * bi_schema_refuse lets pass. */
extern char *bi_schema_mismatch(const BiJson *schema, const BiJson *value);

#endif							/* BI_SCHEMA_H */
