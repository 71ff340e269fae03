/*
 * provider/anthropic/anthropic_spec.h: from a job to its requests in a message batch.
 */
#ifndef BI_ANTHROPIC_SPEC_H
#define BI_ANTHROPIC_SPEC_H

#include "provider/provider.h"

/* As in provider.h. */
extern char *bi_anthropic_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_anthropic_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* Implements frame of BiProviderRealtime. */
extern void bi_anthropic_spec_frame_body(const BiSpec *spec, const BiServer *server,
										 BiFrame *frame);

#endif							/* BI_ANTHROPIC_SPEC_H */
