/*
 * provider/objects.c: what is in a chunk's folder of an object store.
 */
#include "postgres.h"

#include "provider/objects.h"

static char *
name_of(int i)
{
	return psprintf("object.%d", i);
}

const char *
bi_objects_get(const List *refs, int i)
{
	return bi_ref_get(refs, name_of(i));
}

int
bi_objects_count(const List *refs)
{
	int			n = 0;

	while (bi_objects_get(refs, n))
		n++;
	return n;
}

List *
bi_objects_forget(List *refs)
{
	for (int i = bi_objects_count(refs) - 1; i >= 0; i--)
		refs = bi_ref_set(refs, name_of(i), NULL);
	return refs;
}

bool
bi_objects_add(List **refs, const List *names)
{
	int			n = bi_objects_count(*refs);
	ListCell   *cell;

	foreach(cell, names)
	{
		if (n == BI_OBJECTS_MAX)
			return false;
		*refs = bi_ref_set(*refs, name_of(n++), lfirst(cell));
	}
	return true;
}
