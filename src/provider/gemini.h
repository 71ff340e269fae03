/*
 * provider/gemini.h: Gemini's requests and results, which Vertex AI and the Gemini Developer
 * API have in common, and where the two differ.
 */
#ifndef BI_GEMINI_H
#define BI_GEMINI_H

#include "base/json.h"
#include "provider/provider.h"

typedef struct BiGeminiDialect
{
	bool		keys;			/* every line has a "key"; else only lines of embeddings have */
	bool		labels;			/* a request may carry labels: one of them is its id, unless the server says no */
	const char *embedding_config;	/* where options of an embedding stand in its request; NULL: in itself */
} BiGeminiDialect;

/* The label that is a request's id. */
#define BI_GEMINI_LABEL "rid"

/* gemini_spec.c: from a job to its lines */

/* As in provider.h. */
extern char *bi_gemini_spec_refuse_job(const BiGeminiDialect *dialect, const BiSpec *spec);
extern char *bi_gemini_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_gemini_spec_frame(const BiGeminiDialect *dialect, const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* gemini_embedding.c: embeddings, of which also the older models are */

/* As in provider.h, of task "embedding". */
extern char *bi_gemini_embedding_refuse_job(const BiSpec *spec);
extern char *bi_gemini_embedding_refuse_input(const BiSpec *spec, const char *input);
extern void bi_gemini_embedding_frame(const BiGeminiDialect *dialect, const BiSpec *spec, BiFrame *frame);

/* Is it an option that says what the embedding shall be? */
extern bool bi_gemini_embedding_is_option(const char *name);

/* Does params ask for less dimensions?  Then the vector is cut by us, where the API has not. */
extern bool bi_gemini_embedding_is_size(const char *name);

/* The output: a list of numbers, or why it is none. */
extern void bi_gemini_embedding_read(const BiCall *call, const BiJson *values, BiAnswer *answer);

/* gemini_line.c: what a line of results means */

/* As in provider.h. */
extern void bi_gemini_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);
extern char *bi_gemini_line_fingerprint(const BiCall *call, const char *line, size_t len);

/* Begins the answer of a line and says whose it is; false where nothing tells. */
extern bool bi_gemini_line_join(const BiCall *call, const BiJson *line, BiAnswer *answer);

/* Does the line say that its request failed?  Then the answer is that. */
extern bool bi_gemini_line_failed(const BiCall *call, const BiJson *line, BiAnswer *answer);

/* An answer that is no success. */
extern void bi_gemini_line_fail(BiAnswer *answer, BiOutcome outcome, bool retryable, const char *code, const char *message);

#endif							/* BI_GEMINI_H */
