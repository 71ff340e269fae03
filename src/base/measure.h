/*
 * base/measure.h: how many tokens a text has, estimated from its characters.
 */
#ifndef BI_MEASURE_H
#define BI_MEASURE_H

#include "postgres.h"

/* Families of tokenizers that cut texts alike. */
typedef enum BiTokenizer
{
	BI_TOKENIZER_NEW,			/* o200k of OpenAI; Claude and Llama as a start */
	BI_TOKENIZER_OLD,			/* cl100k of OpenAI, before GPT-4o, and its embeddings */
	BI_TOKENIZER_GEMMA			/* Gemini, Gemma */
} BiTokenizer;

/* Which tokenizer a model has, and how many tokens it makes of a hundred of the family's. */
typedef struct BiMeasure
{
	BiTokenizer tokenizer;
	int			percent;
} BiMeasure;

/* Returns the measure of a model by its name, which may have any path or ARN before it. */
extern BiMeasure bi_measure_of_model(const char *model);

/*
 * Returns the estimated tokens of the text, rounded up; 0 for an empty one.  Bytes that are not
 * UTF-8 count as a character each.  Does not count what a provider adds to a message.
 */
extern int64 bi_measure_tokens(const char *text, size_t len, BiMeasure measure);

/* The same of the strings of a JSON text, names of members included, as if that character were
 * between them.  Of a text that is not JSON it returns some number. */
extern int64 bi_measure_strings(const char *json, size_t len, char between, BiMeasure measure);

#endif							/* BI_MEASURE_H */
