/*
 * base/foreign.h: a malloc'd thing of a foreign library, owned by a
 * MemoryContext: it is freed when the context is reset or deleted.
 */
#ifndef BI_FOREIGN_H
#define BI_FOREIGN_H

#include "postgres.h"

/* Must not ereport. */
typedef void (*BiFree) (void *thing);

typedef struct BiForeign BiForeign;

/* From now on cxt owns thing (NULL is allowed and never freed).  Never fails to
 * free: if registering itself throws, thing is freed first. */
extern BiForeign *bi_foreign_own(MemoryContext cxt, void *thing, BiFree release);

/* Frees it now; the reset of the context then does nothing.  NULL and a second
 * call are harmless.  The owner itself (some 50 bytes) stays until the reset. */
extern void bi_foreign_release(BiForeign *foreign);

#endif							/* BI_FOREIGN_H */
