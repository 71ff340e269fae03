/*
 * store/ref.c: names and values of a chunk, as a list.
 */
#include "postgres.h"

#include "store/ref.h"

const char *
bi_ref_get(const List *refs, const char *name)
{
	ListCell   *cell;

	foreach(cell, refs)
	{
		BiRef	   *ref = lfirst(cell);

		if (strcmp(ref->name, name) == 0)
			return ref->value;
	}
	return NULL;
}

List *
bi_ref_copy(const List *refs)
{
	List	   *copy = NIL;
	ListCell   *cell;

	foreach(cell, refs)
	{
		const BiRef *ref = lfirst(cell);

		copy = bi_ref_set(copy, ref->name, ref->value);
	}
	return copy;
}

List *
bi_ref_set(List *refs, const char *name, const char *value)
{
	ListCell   *cell;
	BiRef	   *ref;

	foreach(cell, refs)
	{
		ref = lfirst(cell);
		if (strcmp(ref->name, name) == 0)
			refs = foreach_delete_current(refs, cell);
	}
	if (value == NULL)
		return refs;
	ref = palloc(sizeof(BiRef));
	ref->name = pstrdup(name);
	ref->value = pstrdup(value);
	return lappend(refs, ref);
}
