/*
 * provider/google/vertex_store.h: what a chunk has in Cloud Storage.
 */
#ifndef BI_VERTEX_STORE_H
#define BI_VERTEX_STORE_H

#include "provider/provider.h"

/* The chunk's reference that holds the folder in which its prediction job says that the results
 * are, gs://BUCKET/NAME. */
#define BI_VERTEX_OUTPUT "output"

/* Implement the routines of the same names of provider.h. */
extern void bi_vertex_store_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern void bi_vertex_store_outputs(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_store_read_outputs(const BiCall *call, const BiExchange *ex,
											  List **refs);
extern bool bi_vertex_store_fetch(const BiCall *call, int part, BiExchange *ex);

/* Writes the request that deletes the i-th object of the chunk, from 0.  False: there are no
 * more. */
extern bool bi_vertex_store_discard(const BiCall *call, int i, BiExchange *ex);

/* Returns the place below which the prediction job of the chunk's present try puts its results,
 * palloc'd. */
extern char *bi_vertex_store_results(const BiCall *call);

#endif							/* BI_VERTEX_STORE_H */
