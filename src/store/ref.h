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

extern const char *bi_ref_get(const List *refs, const char *name);	/* NULL if absent */
extern List *bi_ref_copy(const List *refs);	/* all of it, in the current context */
extern List *bi_ref_set(List *refs, const char *name, const char *value);	/* value NULL removes */

#endif							/* BI_REF_H */
