/*
 * base/dialect.h: which JSON Schemas we understand, before any value is seen, and what
 * is made of one once for all its values.
 */
#ifndef BI_DIALECT_H
#define BI_DIALECT_H

#include "base/json.h"
#include "base/pattern.h"

/* A schema that we understand.  It points into the schema's tree, which must live as long. */
typedef struct BiDialect BiDialect;

/* Reads the schema, in the current context.  Returns NULL, and the reason in one line
 * (palloc'd) in *why, if we cannot check it or if it would cost too much.  Interruptible. */
extern BiDialect *bi_dialect_read(const BiJson *schema, char **why);

/* Returns what belongs to a place in the tree: the target (BiJson) of a "$ref", the BiPattern
 * of a "pattern" or of a key of patternProperties; at is the keyword's value, or the key. */
extern void *bi_dialect_find(const BiDialect *dialect, const void *at);

#endif							/* BI_DIALECT_H */
