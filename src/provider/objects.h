/*
 * provider/objects.h: what is in a chunk's folder of an object store.
 *
 * It is kept as references of the chunk: "object.0", "object.1", …, each a name relative to the
 * folder.
 */
#ifndef BI_OBJECTS_H
#define BI_OBJECTS_H

#include "provider/provider.h"

/* The most that a folder may have: it holds an input, and a few objects for each batch. */
#define BI_OBJECTS_MAX 1000

/* Returns the i-th name, from 0; NULL if there are no more. */
extern const char *bi_objects_get(const List *refs, int i);

/* Returns how many there are. */
extern int	bi_objects_count(const List *refs);

/* Returns refs without them. */
extern List *bi_objects_forget(List *refs);

/* Adds these names (char *); false if they are too many. */
extern bool bi_objects_add(List **refs, const List *names);

#endif							/* BI_OBJECTS_H */
