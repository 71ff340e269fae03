/*
 * provider/openai/openai_spec.h: from a job to its request lines, as OpenAI has them.
 */
#ifndef BI_OPENAI_SPEC_H
#define BI_OPENAI_SPEC_H

#include "provider/provider.h"

/* As in provider.h. */
extern char *bi_openai_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_openai_spec_refuse_input(const BiSpec *spec, const char *input);
extern int	bi_openai_spec_embedding_size(const BiSpec *spec);
extern void bi_openai_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* Implements frame of BiProviderRealtime. */
extern void bi_openai_spec_frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame);

#endif							/* BI_OPENAI_SPEC_H */
