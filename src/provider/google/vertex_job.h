/*
 * provider/google/vertex_job.h: how Vertex AI shows a batch prediction job, and lists of them.
 */
#ifndef BI_VERTEX_JOB_H
#define BI_VERTEX_JOB_H

#include "base/json.h"
#include "provider/provider.h"

/* The labels of a job by which it is found again: the chunk's intent, and the number of the try. */
#define BI_VERTEX_INTENT "batchinf_intent"
#define BI_VERTEX_TRY "batchinf_try"

/* Appends the body of the create call. */
extern void bi_vertex_job_append(StringInfo out, const BiCall *call);

/* Reads a job into *batch.  False if json is not a job or has no state. */
extern bool bi_vertex_job_read(const BiJson *json, BiBatchReport *batch);

/* Reads one page of the jobs with our label into *found.  False if it is not a list that can be
 * understood. */
extern bool bi_vertex_job_find(const BiCall *call, const BiJson *json, BiFound *found);

#endif							/* BI_VERTEX_JOB_H */
