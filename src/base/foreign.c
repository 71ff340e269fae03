/*
 * base/foreign.c: a malloc'd thing of a foreign library, tied to a MemoryContext.
 *
 * Knows memory contexts and nothing of what it frees.  Called by the walls around
 * foreign libraries (http.c, json.c) and by spool.c for its descriptors.  Model:
 * libpqsrv_PQwrap of PostgreSQL 18, without unregistering, which 15 has not: a
 * released owner stays registered and empty until the context is reset.
 *
 * Callbacks of one context run last registered first; those of its children run
 * before its own.  So what must be freed first belongs in a child context.
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
