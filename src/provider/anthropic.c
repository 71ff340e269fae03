/*
 * provider/anthropic.c: Anthropic's Message Batches: the routine table and its requests.
 *
 * Knows paths and headers; what bodies mean stands in anthropic_spec.c and
 * anthropic_schema.c (requests that we send), anthropic_reply.c, anthropic_batch.c and
 * anthropic_line.c (what comes back).  The input travels with the create call, and a
 * batch cannot be named: it is found again by time and count, and told by the custom ids
 * in its results.  No I/O, no clock: the engine calls it through the table.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define BASE_URL "https://api.anthropic.com"

/* The body of the create call: this, the chunk's requests, that. */
#define BODY_HEAD "{\"requests\":["
#define BODY_TAIL "]}"
#define BODY_MAX 256000000

/* Of a candidate's results: enough for the first custom id. */
#define PEEK_BYTES (64 * 1024)

static void
begin_for(const BiCall *call, BiExchange *ex, const char *method, const char *path, const char *accept)
{
	const BiServer *server = call->server;

	bi_exchange_request(ex, method, psprintf("%s%s", bi_wire_base_url(server, BASE_URL), path));
	bi_exchange_add_header(ex, "Accept", accept);
	bi_exchange_add_header(ex, "anthropic-version", server->api_version ? server->api_version : BI_ANTHROPIC_VERSION);
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	begin_for(call, ex, method, path, "application/json");
}

/* before + name, escaped + after */
static char *
path_of(const char *before, const char *name, const char *after)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, before);
	bi_wire_append_escaped(&path, name);
	appendStringInfoString(&path, after);
	return path.data;
}

static char *
batch_path(const char *id, const char *after)
{
	return path_of("/v1/messages/batches/", id, after);
}

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	char	   *value;

	if (call->server->auth == NULL || strcmp(call->server->auth, "bearer") != 0)
	{
		bi_exchange_add_header(ex, "x-api-key", secret);
		return;
	}
	value = psprintf("Bearer %s", secret);
	bi_exchange_add_header(ex, "Authorization", value);
	explicit_bzero(value, strlen(value));
	pfree(value);
}

/* Create. */

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
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK && (!bi_anthropic_batch_read(parse_body(ex), batch) || batch->id == NULL))
		return bi_openai_reply_unexpected(ex, "a message batch");
	return verdict;
}

/* Find. */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	begin(call, ex, "GET", cursor ? path_of("/v1/messages/batches?limit=100&after_id=", cursor, "")
		  : "/v1/messages/batches?limit=100");
}

/* Is it the cursor that the page was asked with, as find wrote it? */
static bool
is_asked_cursor(const BiExchange *ex, const char *cursor)
{
	const char *after = ex->url ? strstr(ex->url, "&after_id=") : NULL;

	return after && strcmp(after, path_of("&after_id=", cursor, "")) == 0;
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_anthropic_batch_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of message batches");
	/* the same place again: this server does not go on, so nothing is certain */
	if (found->cursor && is_asked_cursor(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
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

/* Results that are not there may be there soon, so that says nothing. */
static BiVerdict
read_peek(const BiCall *call, const BiExchange *ex, bool *ours)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	*ours = false;
	if (verdict.kind == BI_ABSENT)
		verdict.kind = BI_UNCLEAR;
	if (verdict.kind == BI_OK && !bi_anthropic_line_peek(call->chunk, ex->body.data, ex->body.len, ours))
		return bi_openai_reply_unexpected(ex, "a line of results");
	return verdict;
}

/* Poll, cancel. */

static void
poll(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "GET", batch_path(call->chunk->batch_id, ""));
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK &&
		(!bi_anthropic_batch_read(parse_body(ex), batch) || batch->id == NULL || strcmp(batch->id, call->chunk->batch_id) != 0))
		return bi_openai_reply_unexpected(ex, "this message batch");
	return verdict;
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", batch_path(call->chunk->batch_id, "/cancel"));
	ex->has_body = true;		/* an empty one */
}

/* What ended in the meantime is refused with 400 or 409: the next poll tells. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409))
		return (BiVerdict) {BI_OK, NULL, NULL};
	return bi_anthropic_reply_verdict(ex);
}

/* Results: from the batch's own address, never from a URL that a reply names. */

static bool
fetch(const BiCall *call, int part, BiExchange *ex)
{
	if (part > 0 || call->chunk->batch_id == NULL)
		return false;
	ask_results(call, call->chunk->batch_id, ex);
	return true;
}

static BiVerdict
read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	if (verdict.kind == BI_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_openai_reply_unexpected(ex, "a whole results file");
	return verdict;
}

/* The batch, with its requests and results; only one that has ended can go. */
static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	if (i > 0 || call->chunk->batch_id == NULL)
		return false;
	begin(call, ex, "DELETE", batch_path(call->chunk->batch_id, ""));
	return true;
}

static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);

	if (verdict.kind == BI_OK && ex->body.len > 0 && !bi_anthropic_reply_is_a(parse_body(ex), "message_batch_deleted"))
		return bi_openai_reply_unexpected(ex, "a deletion");
	return verdict;
}

/* The model. */

static void
check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	begin(call, ex, "GET", model ? path_of("/v1/models/", model, "") : "/v1/models");
}

static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_anthropic_reply_verdict(ex);
	BiJson	   *json = verdict.kind == BI_OK ? parse_body(ex) : NULL;

	if (verdict.kind == BI_OK && !bi_json_at(json, "id", NULL) && !bi_json_at(json, "data", NULL))
		return bi_openai_reply_unexpected(ex, "a model");
	return verdict;
}

static const char *const server_options[] = {"api_version", "auth", "prompt_cache", NULL};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

const BiProvider bi_anthropic = {
	.name = "anthropic",
	.base_url = BASE_URL,
	.request_id = "request-id",
	.limits = {
		.max_requests = 100000,
		.min_requests = 1,
		.max_bytes = BODY_MAX - (sizeof(BODY_HEAD) - 1) - (sizeof(BODY_TAIL) - 1),
		.poll_interval = 30,
	},
	.server_options = server_options,
	.mapping_options = mapping_options,
	.refuse_job = bi_anthropic_spec_refuse_job,
	.refuse_input = bi_anthropic_spec_refuse_input,
	.frame = bi_anthropic_spec_frame,
	.authorize = authorize,
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
	.check = check,
	.read_check = read_check,
};
