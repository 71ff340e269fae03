/*
 * store/keyhash.h: a hash of a row's key that is the same for keys that are equal.
 */
#ifndef BI_KEYHASH_H
#define BI_KEYHASH_H

#include "postgres.h"

#include "store/target.h"
#include "utils/uuid.h"

typedef struct BiKeyHash BiKeyHash;

/* Returns what hashes keys of the target, in the current context. */
extern BiKeyHash *bi_keyhash_new(const BiTarget *target);

/*
 * Sets *hash to that of a row's key, given as text: record_id, or key (char *) where it has several
 * columns.  Equal are keys that the types of the target's key columns say are equal: 1.0 and 1.00,
 * words of citext.  Raises an error for text that is no value of the column's type.  What it
 * allocates is in the current context.
 */
extern void bi_keyhash_set(BiKeyHash *keyhash, const char *record_id, const List *key,
						   pg_uuid_t *hash);

/* True if values of the type that are equal always have one hash.  Not those of arrays, row types,
 * ranges, and of types that have equality and no hash: they are hashed by their text. */
extern bool bi_keyhash_is_exact(Oid type);

#endif							/* BI_KEYHASH_H */
