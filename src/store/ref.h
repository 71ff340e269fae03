/*
 * store/ref.h: what a chunk remembers by name: a provider's file ids and the like.  No SQL.
 */
#ifndef BI_REF_H
#define BI_REF_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* A provider's own reference to something of this chunk (a file id and the like). */
typedef struct BiRef
{
	char	   *name;
	char	   *value;
} BiRef;

/* Returns the value of that name; NULL if it is absent. */
extern const char *bi_ref_get(const List *refs, const char *name);

/* Returns a deep copy in the current context. */
extern List *bi_ref_copy(const List *refs);

/* Returns refs with that value, which is copied; NULL removes the name. */
extern List *bi_ref_set(List *refs, const char *name, const char *value);

#endif							/* BI_REF_H */
