/*
 * provider/aws/bedrock_job.h: how Bedrock shows a model invocation job, and lists of them.
 */
#ifndef BI_BEDROCK_JOB_H
#define BI_BEDROCK_JOB_H

#include "base/json.h"
#include "provider/provider.h"

/* Returns the id in a job's ARN, palloc'd; NULL if this is not the ARN of a job. */
extern char *bi_bedrock_job_id(const BiJson *arn);

/* Reads a job into *batch.  False if json is not a job or has no status. */
extern bool bi_bedrock_job_read(const BiJson *json, BiBatchReport *batch);

/* Returns the name and token of the chunk's next create call, palloc'd.  It changes only when a job
 * of the chunk has failed for now. */
extern char *bi_bedrock_job_token(const BiChunk *chunk);

/* Reads one page of the list of jobs into *found.  False if it is not a list that can be
 * understood. */
extern bool bi_bedrock_job_find(const BiCall *call, const BiJson *json, BiFound *found);

#endif							/* BI_BEDROCK_JOB_H */
