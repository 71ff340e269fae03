/*
 * provider/anthropic/anthropic_line.h: what a line of a results file means.
 */
#ifndef BI_ANTHROPIC_LINE_H
#define BI_ANTHROPIC_LINE_H

#include "provider/provider.h"

/* As in provider.h. */
extern void bi_anthropic_line_read(const BiCall *call, const char *text, size_t len,
								   BiResultLine *line);

/*
 * Sets *ours to whether these results, of which only the beginning may be there, are the chunk's.
 * False if it does not show.
 */
extern bool bi_anthropic_line_peek(const BiChunk *chunk, const char *text, size_t len, bool *ours);

#endif							/* BI_ANTHROPIC_LINE_H */
