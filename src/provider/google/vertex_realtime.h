/*
 * provider/google/vertex_realtime.h: single requests at Vertex AI.
 */
#ifndef BI_VERTEX_REALTIME_H
#define BI_VERTEX_REALTIME_H

#include "provider/provider.h"

/* Implement the routines of BiProviderRealtime. */
extern void bi_vertex_realtime_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);
extern void bi_vertex_realtime_request(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_realtime_read(const BiCall *call, const BiExchange *ex,
										 BiResultLine *line);

#endif							/* BI_VERTEX_REALTIME_H */
