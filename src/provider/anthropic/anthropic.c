/*
 * provider/anthropic/anthropic.c: Anthropic's Message Batches: the routine tables and the
 * requests.
 *
 * Knows paths and headers; what bodies mean is in shape/claude.c (requests) and in
 * anthropic_reply.c, anthropic_batch.c and anthropic_line.c (what comes back).  Source:
 * Anthropic's pages "Batch processing" and "Message Batches" (API reference).
 *
 * The input travels with the create call.  A batch cannot be given a name, so one whose create
 * call was never answered is looked for by time and count, and the custom ids in its results
 * decide (peek).
 *
 * Decided here:
 * - Results that are not there (404) say nothing about whose they are: the search goes on later.
 * - results_url is never used: the address is made of base_url and the batch's id.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/anthropic/anthropic.h"
#include "provider/anthropic/anthropic_batch.h"
#include "provider/anthropic/anthropic_line.h"
#include "provider/anthropic/anthropic_reply.h"
#include "provider/anthropic/anthropic_spec.h"
#include "provider/body.h"
#include "provider/report.h"
#include "provider/shape/claude.h"
#include "provider/shape/claude_answer.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define BASE_URL "https://api.anthropic.com"

/* What the body of the create call has before and after the chunk's requests; its largest size. */
#define BODY_HEAD "{\"requests\":["
#define BODY_TAIL "]}"
#define BODY_MAX 256000000

#define PEEK_BYTES (64 * 1024)	/* of a candidate's results: enough for the first custom id */

static void
begin_for(const BiCall *call, BiExchange *ex, const char *method, const char *path,
		  const char *accept)
{
	const BiServer *server = call->server;
	const char *version = server->api_version ? server->api_version : BI_CLAUDE_VERSION;

	bi_exchange_request(ex, method, psprintf("%s%s", bi_wire_base_url(server, BASE_URL), path));
	bi_exchange_add_header(ex, "Accept", accept);
	bi_exchange_add_header(ex, "anthropic-version", version);
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	begin_for(call, ex, method, path, "application/json");
}

static char *
batch_path(const char *id, const char *after)
{
	return bi_wire_path("/v1/messages/batches/", id, after);
}

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	if (bi_words_equal(call->server->auth, "bearer"))
		bi_wire_bearer(secret, ex);
	else
		bi_exchange_add_header(ex, "x-api-key", secret);
}

/* Create */

static void
create(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", "/v1/messages/batches");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	appendStringInfoString(&ex->head, BODY_HEAD);
	appendStringInfoString(&ex->tail, BODY_TAIL);
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	return bi_report_take(bi_anthropic_reply_verdict(ex), ex, bi_anthropic_batch_read,
						  "a message batch", batch);
}

/* Find */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	static const char first[] = "/v1/messages/batches?limit=100";

	begin(call, ex, "GET",
		  cursor ? bi_wire_path(psprintf("%s&after_id=", first), cursor, "") : first);
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	return bi_report_take_page(bi_anthropic_reply_verdict(ex), call, ex, bi_anthropic_batch_find,
							   "after_id", "a list of message batches", found);
}

static void
ask_results(const BiCall *call, const char *batch_id, BiExchange *ex)
{
	begin_for(call, ex, "GET", batch_path(batch_id, "/results"), "application/binary");
}

static void
peek(const BiCall *call, const char *batch_id, BiExchange *ex)
{
	ask_results(call, batch_id, ex);
	ex->cut_after = PEEK_BYTES;
}

static BiVerdict
read_peek(const BiCall *call, const BiExchange *ex, bool *ours)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	*ours = false;
	if (verdict.kind == BI_VERDICT_ABSENT)
		bi_verdict_change(&verdict, ex, BI_VERDICT_UNCLEAR);
	if (verdict.kind == BI_VERDICT_OK &&
		!bi_anthropic_line_peek(call->chunk, ex->body.data, ex->body.len, ours))
		return bi_verdict_unexpected(ex, "a line of results");
	return verdict;
}

/* Poll, cancel */

static void
poll(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "GET", batch_path(call->chunk->batch->id, ""));
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	return bi_report_take_own(bi_anthropic_reply_verdict(ex), ex, bi_anthropic_batch_read,
							  call->chunk->batch->id, "this message batch", batch);
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", batch_path(call->chunk->batch->id, "/cancel"));
	ex->has_body = true;		/* an empty one */
}

/* A batch that has ended in the meantime is refused with 400 or 409: the next poll says how. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409))
		return (BiVerdict) {BI_VERDICT_OK};
	return bi_anthropic_reply_verdict(ex);
}

/* Results */

static bool
fetch(const BiCall *call, int part, BiExchange *ex)
{
	if (part > 0 || call->chunk->batch->id == NULL)
		return false;
	ask_results(call, call->chunk->batch->id, ex);
	return true;
}

static BiVerdict
read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_verdict_unexpected(ex, "a whole results file");
	return verdict;
}

/* Removes the batch with its requests and results, which the API allows once it has ended. */
static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	if (i > 0 || call->chunk->batch->id == NULL)
		return false;
	begin(call, ex, "DELETE", batch_path(call->chunk->batch->id, ""));
	return true;
}

static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK && ex->body.len > 0 &&
		!bi_anthropic_reply_is_a(bi_wire_body(ex), "message_batch_deleted"))
		return bi_verdict_unexpected(ex, "a deletion");
	return verdict;
}

/* One record */

static void
message(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", "/v1/messages");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	if (call->job->spec.input == BI_INPUT_BODY) /* it may be written for the model of batches */
		bi_body_set_model(&ex->head, call->job->spec.model);
}

static BiVerdict
read_message(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);
	BiJson	   *body = bi_answer_open(call, ex, &verdict, line);

	if (body && !bi_claude_answer_take(&line->answer, body))
		return bi_verdict_unexpected(ex, "a message");
	return verdict;
}

/* The model */

static void
check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	begin(call, ex, "GET", model ? bi_wire_path("/v1/models/", model, "") : "/v1/models");
}

static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);
	BiJson	   *json = verdict.kind == BI_VERDICT_OK ? bi_wire_body(ex) : NULL;

	if (verdict.kind == BI_VERDICT_OK && !bi_json_at(json, "id", NULL) &&
		!bi_json_at(json, "data", NULL))
		return bi_verdict_unexpected(ex, "a model");
	return verdict;
}

static const char *const server_options[] = {
	"api_version", "auth", "prompt_cache", "realtime_base_url", NULL
};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

static const BiProviderJob job_routines = {
	.refuse_job = bi_claude_refuse_job,
	.refuse_input = bi_anthropic_spec_refuse_input,
	.frame = bi_anthropic_spec_frame,
};

static const BiProviderLogin login_routines = {
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = read_find,
	.peek = peek,
	.read_peek = read_peek,
	.poll = poll,
	.read_poll = read_poll,
	.cancel = cancel,
	.read_cancel = read_cancel,
	.fetch = fetch,
	.read_fetch = read_fetch,
	.read_line = bi_anthropic_line_read,
	.discard = discard,
	.read_discard = read_discard,
};

static const BiProviderRealtime realtime_routines = {
	.frame = bi_anthropic_spec_frame_body,
	.request = message,
	.read = read_message,
};

static const BiProviderCheck check_routines = {
	.request = check,
	.read = read_check,
};

const BiProvider bi_anthropic = {
	.name = "anthropic",
	.defaults = {
		.base_url = BASE_URL,
		.request_id_header = "request-id",
		.limits = {
			.max_requests = 100000,
			.min_requests = 1,
			.max_bytes = BODY_MAX - (sizeof(BODY_HEAD) - 1) - (sizeof(BODY_TAIL) - 1),
			.poll_interval = 30,
		},
		.server_options = server_options,
		.mapping_options = mapping_options,
	},
	.job = &job_routines,
	.login = &login_routines,
	.batch = &batch_routines,
	.realtime = &realtime_routines,
	.check = &check_routines,
};
