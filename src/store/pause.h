/*
 * store/pause.h: servers that want no calls for now.
 */
#ifndef BI_PAUSE_H
#define BI_PAUSE_H

#include "postgres.h"

/*
 * No calls for delay_ms; one more in a row.  owner: for that role's jobs only; InvalidOid: for
 * all.  reason is what the provider said to requester, whom alone it is shown to; everybody
 * else who may use the server sees kind.
 */
extern void bi_pause_set(Oid server, Oid owner, Oid requester, int64 delay_ms, const char *kind, const char *reason);

/* The server answered a call of owner's: nothing holds it up. */
extern void bi_pause_clear(Oid server, Oid owner);

#endif							/* BI_PAUSE_H */
