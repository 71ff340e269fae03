/*
 * provider/google/vertex_spec.h: the lines of a job at Vertex AI, and what a job may not ask for.
 */
#ifndef BI_VERTEX_SPEC_H
#define BI_VERTEX_SPEC_H

#include "provider/provider.h"

/* The version of Claude's API here. */
#define BI_VERTEX_CLAUDE_VERSION "vertex-2023-10-16"

/* Implement the routines of the same names of provider.h. */
extern char *bi_vertex_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_vertex_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_vertex_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

#endif							/* BI_VERTEX_SPEC_H */
