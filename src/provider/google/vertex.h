/*
 * provider/google/vertex.h: the routine table of Vertex AI's batch prediction jobs.
 */
#ifndef BI_VERTEX_H
#define BI_VERTEX_H

#include "provider/provider.h"

extern const BiProvider bi_vertex;

#endif							/* BI_VERTEX_H */
