/*
 * base/foreign.c: a malloc'd thing of a foreign library, tied to a MemoryContext.
 *
 * Knows memory contexts, and nothing about what it frees.  Its model is libpqsrv_PQwrap of
 * PostgreSQL 18.  PostgreSQL 15 cannot unregister a callback: an owner that was released stays
 * registered, and empty, until the context is reset.
 *
 * Callbacks of one context run in reverse order of registration, and those of its children before
 * its own.  So what must be freed first belongs in a child context.
 */
#include "postgres.h"

#include "base/foreign.h"
#include "utils/memutils.h"
#include "utils/palloc.h"

struct BiForeign
{
	void	   *thing;
	BiFree		release;
	MemoryContextCallback callback;
};

static void
free_thing(void *arg)
{
	BiForeign  *foreign = arg;
	void	   *thing = foreign->thing;

	foreign->thing = NULL;
	if (thing != NULL)
		foreign->release(thing);
}

BiForeign *
bi_foreign_own(MemoryContext cxt, void *thing, BiFree release)
{
	BiForeign  *foreign = MemoryContextAllocExtended(cxt, sizeof(BiForeign), MCXT_ALLOC_NO_OOM);

	if (foreign == NULL)
	{
		if (thing != NULL)
			release(thing);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	}
	foreign->thing = thing;
	foreign->release = release;
	foreign->callback.func = free_thing;
	foreign->callback.arg = foreign;
	MemoryContextRegisterResetCallback(cxt, &foreign->callback);
	return foreign;
}

void
bi_foreign_release(BiForeign *foreign)
{
	if (foreign != NULL)
		free_thing(foreign);
}
