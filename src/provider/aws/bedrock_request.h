/*
 * provider/aws/bedrock_request.h: the requests to Bedrock's control plane.
 */
#ifndef BI_BEDROCK_REQUEST_H
#define BI_BEDROCK_REQUEST_H

#include "provider/provider.h"

/*
 * What differs from one create request to another.  It lives on the stack of the caller, who fills
 * all of it; its strings belong to the caller.
 */
typedef struct BiBedrockJob
{
	const char *name;			/* the job's name, also the token for idempotency */
	const char *model;			/* a model's id, an inference profile's id, or an ARN of either */
	const char *invocation;		/* the API by which the model is called: Converse or InvokeModel */
	const char *input;			/* the input's place, s3://BUCKET/KEY */
	const char *output;			/* the place below which Bedrock puts the results, with its slash */
} BiBedrockJob;

/* Writes CreateModelInvocationJob. */
extern void bi_bedrock_request_create(const BiCall *call, const BiBedrockJob *job, BiExchange *ex);

/* Writes ListModelInvocationJobs: the newest limit jobs whose names contain name, from the page of
 * that token on; token is NULL for the first page. */
extern void bi_bedrock_request_list(const BiCall *call, const char *name, int limit,
									const char *token, BiExchange *ex);

/* Write GetModelInvocationJob and StopModelInvocationJob of the job with that id. */
extern void bi_bedrock_request_get(const BiCall *call, const char *id, BiExchange *ex);
extern void bi_bedrock_request_stop(const BiCall *call, const char *id, BiExchange *ex);

/* True if ex is one of the requests above; false if it is one to S3. */
extern bool bi_bedrock_request_is(const BiCall *call, const BiExchange *ex);

#endif							/* BI_BEDROCK_REQUEST_H */
