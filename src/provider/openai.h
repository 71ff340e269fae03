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

/* Where a relative differs in what it is asked. */
typedef struct BiOpenaiDialect
{
	/* The whole URL of a path such as /files; query: without "?", or NULL. */
	char	   *(*url) (const BiServer *server, const char *path, const char *query);
	/* What the create call names as the batch's endpoint. */
	const char *(*endpoint) (const BiServer *server, const BiSpec *spec);
	/* Is create told when the results may be removed? */
	bool		(*outputs_expire) (const BiServer *server);
	const char *expires_anchor; /* the names of an upload's form fields */
	const char *expires_seconds;
	int64		file_life;		/* seconds, where the server does not say */
	int64		file_life_min;
	const char *file_type;		/* of an upload's part */
	bool		has_organizations;	/* and projects, as headers */
	bool		has_models;		/* GET /models/NAME tells whether NAME can be used */
} BiOpenaiDialect;

/* openai.c: replies, for relatives' tables.  As in provider.h. */
extern BiVerdict bi_openai_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern BiVerdict bi_openai_read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch);
extern BiVerdict bi_openai_read_find(const BiCall *call, const BiExchange *ex, BiFound *found);
extern BiVerdict bi_openai_read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch);
extern BiVerdict bi_openai_read_cancel(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_fetch(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_discard(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_check(const BiCall *call, const BiExchange *ex);

/* openai_request.c: requests in a dialect.  As in provider.h. */
extern void bi_openai_request_upload(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex);
extern void bi_openai_request_create(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex);
extern void bi_openai_request_find(const BiOpenaiDialect *dialect, const BiCall *call, const char *cursor, BiExchange *ex);
extern void bi_openai_request_poll(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex);
extern void bi_openai_request_cancel(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex);
extern bool bi_openai_request_fetch(const BiOpenaiDialect *dialect, const BiCall *call, int part, BiExchange *ex);
extern bool bi_openai_request_discard(const BiOpenaiDialect *dialect, const BiCall *call, int i, BiExchange *ex);
extern void bi_openai_request_check(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex);

/* The secret as a bearer's. */
extern void bi_openai_request_bearer(const char *secret, BiExchange *ex);

/* A cursor that is the server's own word for the next page; any other is the id of the
 * last batch of a page. */
extern char *bi_openai_request_word_cursor(const char *word);

/* Was the page asked for with this cursor? */
extern bool bi_openai_request_has_cursor(const BiExchange *ex, const char *cursor);

/* openai_endpoint.c: which endpoint a job's requests go to */

#define BI_OPENAI_CHAT "/v1/chat/completions"

/* As in provider.h: "responses", or NULL. */
extern const char *bi_openai_endpoint_choose(const BiSpec *spec, const BiServer *server, const char *body);

/* The URL that the job's lines have: always with /v1. */
extern const char *bi_openai_endpoint_path(const BiSpec *spec);
extern bool bi_openai_endpoint_is_responses(const BiSpec *spec);

/* Why these params, or this body (what says which), are surely for another endpoint than the
 * job's, or NULL. */
extern char *bi_openai_endpoint_refuse_members(const BiSpec *spec, const BiJson *json, const char *what);

/* The same of a whole body. */
extern char *bi_openai_endpoint_refuse_body(const BiSpec *spec, const BiJson *body);

/* openai_spec.c: from a job to its request lines */

/* As in provider.h. */
extern char *bi_openai_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_openai_spec_refuse_input(const BiSpec *spec, const char *input);
extern int	bi_openai_spec_embedding_size(const BiSpec *spec);
extern void bi_openai_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* openai_schema.c: may "strict" be set for this response schema?  Only the subset that OpenAI takes
 * so. */
extern bool bi_openai_schema_is_strict(const BiJson *schema);

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

/* The body of a good answer, whatever envelope it came in. */
extern void bi_openai_line_body(const BiCall *call, const BiJson *body, BiAnswer *answer);

/* Appends the texts of an array of parts to out; false where it has none.  Sets *refusal where a
 * part has one. */
extern bool bi_openai_line_join(const BiJson *parts, StringInfo out, const BiJson **refusal);

/* Tokens told, -1 where they are not told or no count. */
extern int64 bi_openai_line_count(const BiJson *json);

/* openai_response.c: the body of an answer of /v1/responses. */
extern void bi_openai_response_body(const BiJson *body, BiAnswer *answer);

#endif							/* BI_OPENAI_H */
