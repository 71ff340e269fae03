/*
 * store/event.h: what happened to a chunk, and servers that want no calls for now.
 */
#ifndef BI_EVENT_H
#define BI_EVENT_H

#include "postgres.h"

#include "store/chunk.h"

/* One line of history in the open transaction.  detail, request_id: may be NULL;
 * status 0: no HTTP status. */
extern void bi_event_add(const BiChunk *chunk, const char *event, const char *detail,
						 int status, const char *request_id);

/* How often in a row the server was paused for owner (InvalidOid: for all). */
extern int	bi_pause_failures(Oid server, Oid owner);

/* No calls for delay_ms, with that reason; one more in a row. */
extern void bi_pause_set(Oid server, Oid owner, int64 delay_ms, const char *reason);

/* The server answered a call of owner's: nothing holds it up. */
extern void bi_pause_clear(Oid server, Oid owner);

#endif							/* BI_EVENT_H */
