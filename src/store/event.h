/*
 * store/event.h: what happened to a chunk.
 */
#ifndef BI_EVENT_H
#define BI_EVENT_H

#include "postgres.h"

#include "store/chunk.h"

/* One line of history in the open transaction.  detail, request_id: may be NULL;
 * status 0: no HTTP status. */
extern void bi_event_add(const BiChunk *chunk, const char *event, const char *detail,
						 int status, const char *request_id);

#endif							/* BI_EVENT_H */
