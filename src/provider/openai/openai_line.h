/*
 * provider/openai/openai_line.h: what a line of a results file means.
 */
#ifndef BI_OPENAI_LINE_H
#define BI_OPENAI_LINE_H

#include "provider/provider.h"

/* As in provider.h. */
extern void bi_openai_line_read(const BiCall *call, const char *text, size_t len,
								BiResultLine *line);

/* Implements read of BiProviderRealtime. */
extern BiVerdict bi_openai_line_read_reply(const BiCall *call, const BiExchange *ex,
										   BiResultLine *line);

#endif							/* BI_OPENAI_LINE_H */
