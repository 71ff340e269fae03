/*
 * provider/shape/claude_schema.h: the part of JSON Schema that Claude takes for structured output.
 */
#ifndef BI_CLAUDE_SCHEMA_H
#define BI_CLAUDE_SCHEMA_H

#include "base/json.h"

/*
 * Returns why the schema cannot be brought into that part, with the place in it; NULL if it can be.
 */
extern char *bi_claude_schema_refuse(const BiJson *schema);

/*
 * Appends the schema as the API takes it: what matches it matches the original, except for what the
 * API cannot assert, which is in descriptions.  Only for schemas that are not refused.
 */
extern void bi_claude_schema_append(StringInfo out, const BiJson *schema);

#endif							/* BI_CLAUDE_SCHEMA_H */
