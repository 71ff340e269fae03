/*
 * provider/aws/bedrock_line.h: what a line of Bedrock's results means.
 */
#ifndef BI_BEDROCK_LINE_H
#define BI_BEDROCK_LINE_H

#include "provider/provider.h"

/* Implements read_line of provider.h. */
extern void bi_bedrock_line_read(const BiCall *call, const char *text, size_t len,
								 BiResultLine *line);

/* Reads a model's answer. */
extern void bi_bedrock_line_output(const BiCall *call, BiAnswer *answer, const BiJson *output);

#endif							/* BI_BEDROCK_LINE_H */
