/*
 * provider/bedrock.h: Amazon Bedrock's model invocation jobs, whose data travel through S3.
 */
#ifndef BI_BEDROCK_H
#define BI_BEDROCK_H

#include "base/json.h"
#include "provider/provider.h"

extern const BiProvider bi_bedrock;

/* Names of a chunk's references: its input's place; ids of jobs that failed before, with spaces
 * between. */
#define BI_BEDROCK_INPUT "input"
#define BI_BEDROCK_DEAD "dead"

/* bedrock_request.c: what the control plane is asked */

/* What a job is made of that differs from one to the other. */
typedef struct BiBedrockJob
{
	const char *name;			/* and token */
	const char *model;
	const char *invocation;		/* how the model is called: Converse, InvokeModel */
	const char *input;			/* places */
	const char *output;
} BiBedrockJob;

extern void bi_bedrock_request_create(const BiCall *call, const BiBedrockJob *job, BiExchange *ex);

/* The jobs whose names contain that, the newest first. */
extern void bi_bedrock_request_list(const BiCall *call, const char *name, int limit, const char *token, BiExchange *ex);

extern void bi_bedrock_request_get(const BiCall *call, const char *id, BiExchange *ex);
extern void bi_bedrock_request_stop(const BiCall *call, const char *id, BiExchange *ex);

/* Is that request one of those above, and not one of S3? */
extern bool bi_bedrock_request_is(const BiCall *call, const BiExchange *ex);

/* bedrock_store.c: what a chunk has in S3.  As in provider.h. */
extern void bi_bedrock_store_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern void bi_bedrock_store_outputs(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs);
extern bool bi_bedrock_store_fetch(const BiCall *call, int part, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_fetch(const BiCall *call, const BiExchange *ex);
extern bool bi_bedrock_store_discard(const BiCall *call, int i, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_discard(const BiCall *call, const BiExchange *ex);

/* The place of a name in the chunk's folder. */
extern char *bi_bedrock_store_place(const BiCall *call, const char *name);

/* The place of a name in the server's part of the bucket. */
extern char *bi_bedrock_store_root(const BiServer *server, const char *name);

/* Where its bucket is missing: what is to be done about it. */
extern BiVerdict bi_bedrock_store_no_bucket(const BiServer *server);

/* bedrock_spec.c: from a job to its records */

/* As in provider.h. */
extern char *bi_bedrock_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_bedrock_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_bedrock_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* How the model is called for it: Converse, or InvokeModel with a body of its own. */
extern const char *bi_bedrock_spec_invocation(const BiSpec *spec);

/* The hours that option completion_window gives a job; 0 where it is not set, -1 where it is
 * none that Bedrock takes. */
extern int	bi_bedrock_spec_hours(const BiServer *server);

/* bedrock_family.c: families of models */

typedef enum BiBedrockFamily
{
	BI_BEDROCK_TEXT,			/* all that take Converse, and what has no known name */
	BI_BEDROCK_TITAN,			/* embeddings of Titan */
	BI_BEDROCK_COHERE,			/* … of Cohere */
	BI_BEDROCK_NOVA,			/* … of Nova */
	BI_BEDROCK_EMBEDDING		/* … of others, whose requests are not known */
} BiBedrockFamily;

/* Of a model's id, with or without a region before it, or of an ARN. */
extern BiBedrockFamily bi_bedrock_family(const char *model);

/* Why this body is surely none that an embedding model of the family takes, or NULL. */
extern char *bi_bedrock_family_refuse_body(BiBedrockFamily family, const BiJson *body);

/* As in provider.h. */
extern int	bi_bedrock_family_embedding_size(const BiSpec *spec);

/* NULL, or why params may not be so for embeddings of that family. */
extern char *bi_bedrock_family_refuse(BiBedrockFamily family, const BiJson *params);

/* The model's input for an embedding: what stands before the text and behind it. */
extern void bi_bedrock_family_frame(BiBedrockFamily family, const BiJson *params, StringInfo head, StringInfo tail);

/* bedrock_reply.c: what replies mean */

/* What status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_bedrock_reply_verdict(const BiExchange *ex);

/* Does the text contain one of these words, up to a NULL, in any case of letters? */
extern bool bi_bedrock_reply_mentions(const char *text, const char *const *words);

/* The words of rights that somebody lacks. */
extern const char *const bi_bedrock_reply_rights[];

/* bedrock_job.c: jobs */

/* The id in a job's ARN, palloc'd, NULL where it is none. */
extern char *bi_bedrock_job_id(const BiJson *arn);

/* A job; false where it is none or has no status. */
extern bool bi_bedrock_job_read(const BiJson *json, BiBatch *batch);

/* The name and token of the chunk's next job: the same until one has failed for now. */
extern char *bi_bedrock_job_token(const BiChunk *chunk);

/* One page of jobs; false where it is no list that we understand. */
extern bool bi_bedrock_job_find(const BiCall *call, const BiJson *json, BiFound *found);

/* bedrock_line.c: what a line of a results file means.  As in provider.h. */
extern void bi_bedrock_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);

/* bedrock_check.c: As in provider.h. */
extern void bi_bedrock_check(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_read_check(const BiCall *call, const BiExchange *ex);

#endif							/* BI_BEDROCK_H */
