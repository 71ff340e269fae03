/*
 * base/foreign.h: a malloc'd thing of a foreign library, owned by a
 * MemoryContext: it is freed when the context is reset or deleted.
 */
#ifndef BI_FOREIGN_H
#define BI_FOREIGN_H

#include "postgres.h"

/* Frees the thing.  Must not raise an error. */
typedef void (*BiFree) (void *thing);

/* The owner of one foreign thing.  It lives in a memory context until that is reset. */
typedef struct BiForeign BiForeign;

/* Makes cxt the owner of thing.  NULL is allowed and is not freed.  If it raises an error (out of
 * memory), it has freed thing. */
extern BiForeign *bi_foreign_own(MemoryContext cxt, void *thing, BiFree release);

/* Frees it now; the reset of the context then does nothing.  NULL and a second call do nothing.
 * The owner itself (about 50 bytes) stays until the reset. */
extern void bi_foreign_release(BiForeign *foreign);

#endif							/* BI_FOREIGN_H */
