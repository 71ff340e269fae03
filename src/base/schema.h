/*
 * base/schema.h: does a JSON value match a JSON Schema?  The part of the 2020-12
 * standard that providers accept for structured output, and some more.
 */
#ifndef BI_SCHEMA_H
#define BI_SCHEMA_H

#include "base/json.h"

/* A schema with its patterns compiled and its references resolved.  It belongs to the memory
 * context in which it was made, and points into the schema's tree, which must live as long. */
typedef struct BiSchema BiSchema;

#define BI_SCHEMA_BYTES_MAX (1024 * 1024)

/*
 * Makes it of a tree, or of a JSON text.  Returns NULL, and the reason in one line (palloc'd)
 * in *why, if we cannot check it: malformed values of known keywords, references that are
 * not local or name nothing or loop, keywords that assert what we cannot check, and
 * whatever costs too much, with the figure and the limit.  Formats, annotations and unknown
 * keywords are passed over.  Interruptible.
 */
extern BiSchema *bi_schema_compile(const BiJson *tree, char **why);
extern BiSchema *bi_schema_read(const char *text, char **why);

/*
 * Returns NULL if value matches; else the first mismatch in one line of UTF-8 with its place,
 * as in: "/items/3/price" is not of type number.  Depth and work are bounded, and counted: a
 * value that would cost more gets a reason too, and *too_costly is set, on every machine
 * alike.  Interruptible.
 */
extern char *bi_schema_mismatch(const BiSchema *schema, const BiJson *value, bool *too_costly);

#endif							/* BI_SCHEMA_H */
