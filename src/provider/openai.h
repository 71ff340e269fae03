/*
 * provider/openai.h: OpenAI's batch API, and the pieces of it that its relatives
 * (Azure OpenAI, compatible servers) share.
 */
#ifndef BI_OPENAI_H
#define BI_OPENAI_H

#include "base/json.h"
#include "provider/provider.h"

extern const BiProvider bi_openai;

/* Names of a chunk's references.  "dead" holds ids of batches that failed before, with
 * spaces between. */
#define BI_OPENAI_INPUT "input"
#define BI_OPENAI_OUTPUT "output"
#define BI_OPENAI_ERROR "error"
#define BI_OPENAI_DEAD "dead"

/* Keys of the metadata by which a batch is found again. */
#define BI_OPENAI_INTENT "batchinf_intent"
#define BI_OPENAI_TRY "batchinf_try"

/* openai_spec.c: from a job to its request lines */

/* As in provider.h. */
extern char *bi_openai_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_openai_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_openai_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* The task's URL as lines and create have it: always with /v1. */
extern const char *bi_openai_spec_endpoint(const BiSpec *spec);

/* May "strict" be set for this response schema?  Only the subset that OpenAI takes so. */
extern bool bi_openai_spec_is_strict(const BiJson *schema);

/* openai_reply.c: what replies mean */

/* What status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_openai_reply_verdict(const BiExchange *ex);

/* UNCLEAR, for a good status with a body that is not what we asked for. */
extern BiVerdict bi_openai_reply_unexpected(const BiExchange *ex, const char *wanted);

/* Is it a JSON object that calls itself so, or does not say what it is? */
extern bool bi_openai_reply_is_a(const BiJson *json, const char *object);

/* An id that can stand in a URL and in a list with spaces between; palloc'd, else NULL. */
extern char *bi_openai_reply_id(const BiJson *id);

/* Is that code one of money or quota that only a person can change? */
extern bool bi_openai_reply_is_billing(const char *code);

/* Is that code or message of load or quota, and not of content? */
extern bool bi_openai_reply_is_transient(const char *code, const char *message);

/* openai_batch.c: batch objects */

/* A batch object; false where it is none or has no status. */
extern bool bi_openai_batch_read(const BiJson *json, BiBatch *batch);

/* One page of batches, whose order is not known, so that only the whole list tells that
 * there is none: false where it is no list that we understand. */
extern bool bi_openai_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

/* openai_line.c: what a line of a results file means.  As in provider.h. */
extern void bi_openai_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);

#endif							/* BI_OPENAI_H */
