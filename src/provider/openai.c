/*
 * provider/openai.c: OpenAI's batch API: the routine table and what its replies bring.
 *
 * Knows which reply answers which request; what is asked stands in openai_request.c and
 * openai_spec.c, what bodies mean in openai_reply.c, openai_batch.c and openai_line.c.
 * No I/O, no clock: the engine calls it through the table and carries what it writes.
 */
#include "postgres.h"

#include "provider/openai.h"
#include "provider/wire.h"

#define BASE_URL "https://api.openai.com/v1"
#define FILE_LIFE (7 * 24 * 60 * 60)	/* of uploads, where the server does not say */

static char *
url_of(const BiServer *server, const char *path, const char *query)
{
	char	   *base = bi_wire_base_url(server, BASE_URL);

	return psprintf("%s%s%s%s", base, path, query ? "?" : "", query ? query : "");
}

static const char *
endpoint_of(const BiServer *server, const BiSpec *spec)
{
	return bi_openai_endpoint_path(spec);
}

/* Compatible servers refuse what they do not know: only where the server says so. */
static bool
outputs_expire(const BiServer *server)
{
	return server->expires_after > 0;
}

static const BiOpenaiDialect dialect = {
	.url = url_of,
	.endpoint = endpoint_of,
	.outputs_expire = outputs_expire,
	.expires_anchor = "expires_after[anchor]",
	.expires_seconds = "expires_after[seconds]",
	.file_life = FILE_LIFE,
	.file_life_min = 60 * 60,
	.file_type = "application/jsonl",
	.has_organizations = true,
	.has_models = true,
};

/* Requests. */

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	bi_openai_request_bearer(secret, ex);
}

static void
upload(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_upload(&dialect, call, ex);
}

static void
create(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_create(&dialect, call, ex);
}

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	bi_openai_request_find(&dialect, call, cursor, ex);
}

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_poll(&dialect, call, ex);
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_cancel(&dialect, call, ex);
}

static bool
fetch(const BiCall *call, int part, BiExchange *ex)
{
	return bi_openai_request_fetch(&dialect, call, part, ex);
}

static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	return bi_openai_request_discard(&dialect, call, i, ex);
}

static void
check(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_check(&dialect, call, ex);
}

/* Replies. */

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

BiVerdict
bi_openai_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *file;
	BiRef	   *ref;

	*refs = NIL;
	if (verdict.kind != BI_OK)
		return verdict;
	file = parse_body(ex);
	ref = palloc(sizeof(BiRef));
	ref->name = pstrdup(BI_OPENAI_INPUT);
	ref->value = bi_openai_reply_id(bi_json_at(file, "id", NULL));
	if (ref->value == NULL || !bi_openai_reply_is_a(file, "file"))
		return bi_openai_reply_unexpected(ex, "a file object");
	*refs = list_make1(ref);
	return verdict;
}

BiVerdict
bi_openai_read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK && (!bi_openai_batch_read(parse_body(ex), batch) || batch->id == NULL))
		return bi_openai_reply_unexpected(ex, "a batch object");
	return verdict;
}

BiVerdict
bi_openai_read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_openai_batch_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of batches");
	/* the same place again: this server does not go on, so nothing is certain */
	if (found->cursor && bi_openai_request_has_cursor(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
}

static bool
is_chunks(const BiCall *call, const BiBatch *batch)
{
	return batch->id && call->chunk->batch_id && strcmp(batch->id, call->chunk->batch_id) == 0;
}

BiVerdict
bi_openai_read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json;

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind != BI_OK)
		return verdict;
	json = parse_body(ex);
	if (!bi_openai_batch_read(json, batch) || (bi_json_at(json, "id", NULL) && !is_chunks(call, batch)))
		return bi_openai_reply_unexpected(ex, "this batch object");
	return verdict;
}

/* What ended in the meantime is refused with 400 or 409: the next poll tells. */
BiVerdict
bi_openai_read_cancel(const BiCall *call, const BiExchange *ex)
{
	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409))
		return (BiVerdict) {BI_OK, NULL, NULL};
	return bi_openai_reply_verdict(ex);
}

BiVerdict
bi_openai_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (verdict.kind == BI_OK && (bi_exchange_reply_is_page(ex) || (ex->status != 200 && ex->status != 204)))
		return bi_openai_reply_unexpected(ex, "a whole results file");
	return verdict;
}

BiVerdict
bi_openai_read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (verdict.kind == BI_OK && !bi_json_bool(bi_json_at(parse_body(ex), "deleted", NULL), true))
		return bi_openai_reply_unexpected(ex, "a deletion");
	return verdict;
}

BiVerdict
bi_openai_read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json = verdict.kind == BI_OK ? parse_body(ex) : NULL;

	if (verdict.kind == BI_OK && !bi_json_at(json, "id", NULL) && !bi_json_at(json, "data", NULL))
		return bi_openai_reply_unexpected(ex, "a model");
	return verdict;
}

static const char *const server_options[] = {
	"organization", "project", "completion_window", "metadata", "expires_after", "endpoint", NULL
};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

const BiProvider bi_openai = {
	.name = "openai",
	.base_url = BASE_URL,
	.limits = {
		.max_requests = 50000,
		.min_requests = 1,
		.max_bytes = 200000000,
		.poll_interval = 30,
		.expires_after = FILE_LIFE,
	},
	.server_options = server_options,
	.mapping_options = mapping_options,
	.choose_endpoint = bi_openai_endpoint_choose,
	.refuse_job = bi_openai_spec_refuse_job,
	.refuse_input = bi_openai_spec_refuse_input,
	.embedding_size = bi_openai_spec_embedding_size,
	.frame = bi_openai_spec_frame,
	.authorize = authorize,
	.upload = upload,
	.read_upload = bi_openai_read_upload,
	.create = create,
	.read_create = bi_openai_read_create,
	.find = find,
	.read_find = bi_openai_read_find,
	.poll = poll,
	.read_poll = bi_openai_read_poll,
	.cancel = cancel,
	.read_cancel = bi_openai_read_cancel,
	.fetch = fetch,
	.read_fetch = bi_openai_read_fetch,
	.read_line = bi_openai_line_read,
	.discard = discard,
	.read_discard = bi_openai_read_discard,
	.check = check,
	.read_check = bi_openai_read_check,
};
