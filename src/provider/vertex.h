/*
 * provider/vertex.h: Google's Vertex AI: batch prediction jobs, whose data travel through
 * Cloud Storage.
 */
#ifndef BI_VERTEX_H
#define BI_VERTEX_H

#include "base/json.h"
#include "provider/provider.h"

extern const BiProvider bi_vertex;

/* Names of a chunk's references: its input's place; where its job says that the results are;
 * ids of jobs that failed before, with spaces between. */
#define BI_VERTEX_INPUT "input"
#define BI_VERTEX_OUTPUT "output"
#define BI_VERTEX_DEAD "dead"

/* Labels of a job, by which it is found again. */
#define BI_VERTEX_INTENT "batchinf_intent"
#define BI_VERTEX_TRY "batchinf_try"

/* vertex.c: the address of a path behind the endpoint, such as "/v1/projects/…". */
extern char *bi_vertex_url(const BiServer *server, const char *path);

/* The path of the server's jobs; of one of them, with id not NULL. */
extern char *bi_vertex_jobs(const BiServer *server, const char *id);

/* Is it the front end's answer to an address that it does not have?  Then the verdict says so. */
extern bool bi_vertex_is_nowhere(const BiCall *call, const BiExchange *ex, BiVerdict *verdict);

/* vertex_model.c: names of models */

typedef enum BiVertexFamily
{
	BI_VERTEX_GEMINI,
	BI_VERTEX_EMBEDDING,		/* Gemini's */
	BI_VERTEX_TEXT_EMBEDDING,	/* the older ones */
	BI_VERTEX_CLAUDE,
	BI_VERTEX_OTHER				/* whose requests are not known */
} BiVertexFamily;

/* Of a tuned model only the task tells. */
extern BiVertexFamily bi_vertex_model_family(const BiSpec *spec);

/* The resource's name: publishers/…/models/…, or of a tuned model projects/…. */
extern char *bi_vertex_model_name(const BiServer *server, const char *model);

/* Is it a model of the project itself, and no publisher's? */
extern bool bi_vertex_model_is_tuned(const char *model);

/* As in provider.h. */
extern void bi_vertex_model_limit(const char *model, BiLimits *limits);

/* vertex_spec.c: from a job to its lines.  As in provider.h. */
extern char *bi_vertex_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_vertex_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_vertex_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* vertex_store.c: what a chunk has in Cloud Storage.  As in provider.h. */
extern void bi_vertex_store_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern void bi_vertex_store_outputs(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs);
extern bool bi_vertex_store_fetch(const BiCall *call, int part, BiExchange *ex);

extern bool bi_vertex_store_discard(const BiCall *call, int i, BiExchange *ex);

/* The place of a name in the chunk's folder; of the results of its last job. */
extern char *bi_vertex_store_place(const BiCall *call, const char *name);
extern char *bi_vertex_store_results(const BiCall *call);

/* The place of a name in the server's part of the bucket. */
extern char *bi_vertex_store_root(const BiServer *server, const char *name);

/* vertex_job.c: jobs */

/* The body of the create call. */
extern void bi_vertex_job_append(StringInfo out, const BiCall *call);

/* A job; false where it is none or has no state. */
extern bool bi_vertex_job_read(const BiJson *json, BiBatch *batch);

/* One page of jobs with our label; false where it is no list that we understand. */
extern bool bi_vertex_job_find(const BiCall *call, const BiJson *json, BiFound *found);

/* vertex_line.c: what a line of a results file means.  As in provider.h. */
extern void bi_vertex_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);

/* vertex_check.c: as in provider.h. */
extern void bi_vertex_check(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_read_check(const BiCall *call, const BiExchange *ex);

#endif							/* BI_VERTEX_H */
