/*
 * provider/aws/bedrock_spec.h: the records of a job, and what a job may not ask for.
 */
#ifndef BI_BEDROCK_SPEC_H
#define BI_BEDROCK_SPEC_H

#include "provider/provider.h"

/* Implement the routines of the same names of provider.h. */
extern char *bi_bedrock_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_bedrock_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_bedrock_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* Returns the API by which the job's model is called: "Converse", or "InvokeModel", whose body is
 * the model's own request. */
extern const char *bi_bedrock_spec_invocation(const BiSpec *spec);

/* Returns the hours that option completion_window gives a job; 0 if it is not set, -1 if Bedrock
 * does not accept them. */
extern int	bi_bedrock_spec_hours(const BiServer *server);

/* Implements frame of BiProviderRealtime. */
extern void bi_bedrock_spec_frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame);

#endif							/* BI_BEDROCK_SPEC_H */
