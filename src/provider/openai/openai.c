/*
 * provider/openai/openai.c: OpenAI's batch API, and servers that speak it: the routine tables.
 *
 * Knows which reader takes which reply.  What is asked is in openai_request.c and
 * openai_spec.c, what bodies mean in openai_reply.c, openai_batch.c and openai_line.c.  Azure
 * OpenAI shares these readers.  Source: OpenAI's API reference, "Batch" and "Files"; limits: its
 * guide "Batch API".
 */
#include "postgres.h"

#include "provider/openai/openai.h"
#include "provider/openai/openai_batch.h"
#include "provider/openai/openai_endpoint.h"
#include "provider/openai/openai_line.h"
#include "provider/openai/openai_reply.h"
#include "provider/openai/openai_request.h"
#include "provider/openai/openai_spec.h"
#include "provider/report.h"
#include "provider/verdict.h"
#include "provider/wire.h"

#define BASE_URL "https://api.openai.com/v1"
#define FILE_LIFE (7 * 24 * 60 * 60)	/* seconds that an upload lives by default */

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

/* Servers like OpenAI's refuse what they do not know, so the user must ask for it. */
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

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	bi_wire_bearer(secret, ex);
}

/* Replies */

BiVerdict
bi_openai_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *file;
	BiRef	   *ref;

	*refs = NIL;
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	file = bi_wire_body(ex);
	ref = palloc(sizeof(BiRef));
	ref->name = pstrdup(BI_OPENAI_INPUT);
	ref->value = bi_wire_id(bi_json_at(file, "id", NULL));
	if (ref->value == NULL || !bi_openai_batch_is_a(file, "file"))
		return bi_verdict_unexpected(ex, "a file object");
	*refs = list_make1(ref);
	return verdict;
}

BiVerdict
bi_openai_read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	return bi_report_take(bi_openai_reply_verdict(ex), ex, bi_openai_batch_read, "a batch object",
						  batch);
}

BiVerdict
bi_openai_read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	verdict = bi_report_take_page(verdict, call, ex, bi_openai_batch_find, "after",
								  "a list of batches", found);

	/* A cursor that is the server's own word travels in another parameter. */
	if (found->cursor && bi_openai_request_has_word(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
}

/* True if it is the chunk's batch. */
static bool
is_chunks(const BiCall *call, const BiBatchReport *batch)
{
	return batch->id && call->chunk->batch->id && strcmp(batch->id, call->chunk->batch->id) == 0;
}

/* A server that leaves the id out is believed: it was asked for this batch. */
BiVerdict
bi_openai_read_poll(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json;

	memset(batch, 0, sizeof(BiBatchReport));
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	json = bi_wire_body(ex);
	if (!bi_openai_batch_read(json, batch) ||
		(bi_json_at(json, "id", NULL) && !is_chunks(call, batch)))
		return bi_verdict_unexpected(ex, "this batch object");
	return verdict;
}

/* A batch that has ended in the meantime is refused with 400 or 409: the next poll says how. */
BiVerdict
bi_openai_read_cancel(const BiCall *call, const BiExchange *ex)
{
	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409))
		return (BiVerdict) {BI_VERDICT_OK};
	return bi_openai_reply_verdict(ex);
}

BiVerdict
bi_openai_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK &&
		(bi_exchange_reply_is_page(ex) || (ex->status != 200 && ex->status != 204)))
		return bi_verdict_unexpected(ex, "a whole results file");
	return verdict;
}

BiVerdict
bi_openai_read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK &&
		!bi_json_bool(bi_json_at(bi_wire_body(ex), "deleted", NULL), true))
		return bi_verdict_unexpected(ex, "a deletion");
	return verdict;
}

BiVerdict
bi_openai_read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json = verdict.kind == BI_VERDICT_OK ? bi_wire_body(ex) : NULL;

	if (verdict.kind == BI_VERDICT_OK && !bi_json_at(json, "id", NULL) &&
		!bi_json_at(json, "data", NULL))
		return bi_verdict_unexpected(ex, "a model");
	return verdict;
}

static const char *const server_options[] = {
	"organization", "project", "completion_window", "metadata", "expires_after", "endpoint",
	"realtime_base_url", NULL
};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

static const BiProviderJob job_routines = {
	.choose_endpoint = bi_openai_endpoint_choose,
	.refuse_job = bi_openai_spec_refuse_job,
	.refuse_input = bi_openai_spec_refuse_input,
	.embedding_size = bi_openai_spec_embedding_size,
	.frame = bi_openai_spec_frame,
};

static const BiProviderLogin login_routines = {
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
	.upload = bi_openai_request_upload,
	.read_upload = bi_openai_read_upload,
	.create = bi_openai_request_create,
	.read_create = bi_openai_read_create,
	.find = bi_openai_request_find,
	.read_find = bi_openai_read_find,
	.poll = bi_openai_request_poll,
	.read_poll = bi_openai_read_poll,
	.cancel = bi_openai_request_cancel,
	.read_cancel = bi_openai_read_cancel,
	.fetch = bi_openai_request_fetch,
	.read_fetch = bi_openai_read_fetch,
	.read_line = bi_openai_line_read,
	.discard = bi_openai_request_discard,
	.read_discard = bi_openai_read_discard,
};

static const BiProviderRealtime realtime_routines = {
	.frame = bi_openai_spec_frame_body,
	.request = bi_openai_request_realtime,
	.read = bi_openai_line_read_reply,
};

static const BiProviderCheck check_routines = {
	.request = bi_openai_request_check,
	.read = bi_openai_read_check,
};

const BiProvider bi_openai = {
	.name = "openai",
	.defaults = {
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
	},
	.job = &job_routines,
	.login = &login_routines,
	.batch = &batch_routines,
	.realtime = &realtime_routines,
	.check = &check_routines,
	.dialect = &dialect,
};
