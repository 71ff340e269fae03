/*
 * provider/google/vertex_line.h: what a line of Vertex AI's results means.
 */
#ifndef BI_VERTEX_LINE_H
#define BI_VERTEX_LINE_H

#include "provider/provider.h"

/* Implements read_line of provider.h. */
extern void bi_vertex_line_read(const BiCall *call, const char *text, size_t len,
								BiResultLine *line);

/* Reads an answer of the older embeddings, which has "predictions". */
extern void bi_vertex_line_embedding(const BiCall *call, const BiJson *line, BiAnswer *answer);

#endif							/* BI_VERTEX_LINE_H */
