/*
 * store/event.h: what happened to a chunk.
 */
#ifndef BI_EVENT_H
#define BI_EVENT_H

#include "postgres.h"

#include "store/chunk.h"

/* Inserts one event of the chunk.  detail and request_id may be NULL; status is 0 if there was no
 * HTTP status.  Needs SPI and a transaction. */
extern void bi_event_add(const BiChunk *chunk, const char *event, const char *detail,
						 int status, const char *request_id);

#endif							/* BI_EVENT_H */
