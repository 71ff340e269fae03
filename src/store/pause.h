/*
 * store/pause.h: servers that want no calls for now.
 */
#ifndef BI_PAUSE_H
#define BI_PAUSE_H

#include "postgres.h"

/* No calls for delay_ms, with that reason; one more in a row. */
extern void bi_pause_set(Oid server, Oid owner, int64 delay_ms, const char *reason);

/* The server answered a call of owner's: nothing holds it up. */
extern void bi_pause_clear(Oid server, Oid owner);

#endif							/* BI_PAUSE_H */
