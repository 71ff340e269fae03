/*
 * provider/google/gemini_embedding.h: the lines of embeddings, and the vectors that come back.
 */
#ifndef BI_GEMINI_EMBEDDING_H
#define BI_GEMINI_EMBEDDING_H

#include "base/json.h"
#include "provider/provider.h"

/* Serve as the routines of the same names of provider.h, for task "embedding". */
extern char *bi_gemini_embedding_refuse_job(const BiSpec *spec);
extern char *bi_gemini_embedding_refuse_input(const BiSpec *spec, const char *input);

/* Writes the shape of a line.  config is the member of the request that holds the options; NULL:
 * they stand in the request itself. */
extern void bi_gemini_embedding_frame(const char *config, const BiSpec *spec, BiFrame *frame);

/* Appends to head what a request has before its input, and to tail what it has after it; the slot
 * is how the input goes between them.  config as above. */
extern void bi_gemini_embedding_append(const char *config, const BiSpec *spec, StringInfo head,
									   StringInfo tail);
extern BiSlot bi_gemini_embedding_slot(const BiSpec *spec);

/* True if the member of that name is about a whole request of several texts, not about one. */
extern bool bi_gemini_embedding_is_whole(const char *name);

/* Implements embedding_size of provider.h, for the older models at Vertex AI too. */
extern int	bi_gemini_embedding_size(const BiSpec *spec);

/* True if this member of params asks for a number of dimensions. */
extern bool bi_gemini_embedding_is_size(const char *name);

/* Sets the answer's output to the vector, cut to the size that params ask for, or says why there is
 * no vector. */
extern void bi_gemini_embedding_read(const BiCall *call, const BiJson *values, BiAnswer *answer);

#endif							/* BI_GEMINI_EMBEDDING_H */
