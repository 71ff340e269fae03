/*
 * provider/google/vertex_address.h: addresses of Vertex AI.
 */
#ifndef BI_VERTEX_ADDRESS_H
#define BI_VERTEX_ADDRESS_H

#include "provider/provider.h"

/* Begins a request to the server's endpoint; path is such as "/v1/projects/…". */
extern void bi_vertex_address_request(const BiCall *call, const char *method, const char *path,
									  BiExchange *ex);

/* Returns the path of the server's batch prediction jobs, with an id that of one job; palloc'd. */
extern char *bi_vertex_address_jobs(const BiServer *server, const char *id);

/*
 * True if Google's front end has no such address: a 404 that is not the API's own.  The verdict's
 * message then says that the location does not exist there.
 */
extern bool bi_vertex_address_is_unknown(const BiCall *call, const BiExchange *ex,
										 BiVerdict *verdict);

#endif							/* BI_VERTEX_ADDRESS_H */
