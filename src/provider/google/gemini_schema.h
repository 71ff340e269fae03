/*
 * provider/google/gemini_schema.h: schemas whose properties keep their order at Google's APIs.
 */
#ifndef BI_GEMINI_SCHEMA_H
#define BI_GEMINI_SCHEMA_H

#include "base/json.h"

/* Appends a schema, each object in it with the order of its properties. */
extern void bi_gemini_schema_append(StringInfo out, const BiJson *schema);

/* Appends the value of a request's member of that name; the schemas in it are written as
 * bi_gemini_schema_append writes them. */
extern void bi_gemini_schema_append_member(StringInfo out, const char *name, const BiJson *value);

#endif							/* BI_GEMINI_SCHEMA_H */
