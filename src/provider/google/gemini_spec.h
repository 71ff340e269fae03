/*
 * provider/google/gemini_spec.h: the lines of a job for Gemini, and what a job may not ask for.
 */
#ifndef BI_GEMINI_SPEC_H
#define BI_GEMINI_SPEC_H

#include "provider/provider.h"

/* The label that is a request's id. */
#define BI_GEMINI_LABEL "rid"

/* What differs between the APIs that serve Gemini.  Each has one constant. */
typedef struct BiGeminiDialect
{
	bool		keys;			/* every line has a "key"; if false, only the lines of embeddings */
	bool		labels;			/* requests may carry labels.  One of them is then the request's id,
								 * unless the server's option request_labels is off */
	const char *embedding_config;	/* the member of an embedding's request that holds its options;
									 * NULL: they stand in the request itself */
} BiGeminiDialect;

/* Serve as the routines of the same names of provider.h, for this dialect. */
extern char *bi_gemini_spec_refuse_job(const BiGeminiDialect *dialect, const BiSpec *spec);
extern char *bi_gemini_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_gemini_spec_frame(const BiGeminiDialect *dialect, const BiSpec *spec,
								 const BiServer *server, BiFrame *frame);

/* Sets the shape of a request alone, without a line's envelope and an id. */
extern void bi_gemini_spec_frame_body(const BiGeminiDialect *dialect, const BiSpec *spec,
									  BiFrame *frame);

#endif							/* BI_GEMINI_SPEC_H */
