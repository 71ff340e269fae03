/*
 * provider/objects.h: what stands in a chunk's folder of an object store, kept as references of
 * the chunk: "object.0", "object.1", …, each a name as it is seen from there.
 */
#ifndef BI_OBJECTS_H
#define BI_OBJECTS_H

#include "provider/provider.h"

/* What there may be in a folder: an input, and a few objects for each batch. */
#define BI_OBJECTS_MAX 1000

/* The i-th, from 0; NULL: there are no more. */
extern const char *bi_objects_get(const List *refs, int i);

extern int	bi_objects_count(const List *refs);
extern List *bi_objects_forget(List *refs);

/* Adds these names (char *); false where they are too many. */
extern bool bi_objects_add(List **refs, const List *names);

#endif							/* BI_OBJECTS_H */
