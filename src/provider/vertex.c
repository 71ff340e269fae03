/*
 * provider/vertex.c: Google's Vertex AI: the routine table, addresses, and what replies about
 * batch prediction jobs bring.
 *
 * Knows which reply answers which request.  Data travel through Cloud Storage
 * (vertex_store.c); lines stand in vertex_spec.c and vertex_line.c, jobs in vertex_job.c,
 * names of models in vertex_model.c.  No I/O, no clock: the engine calls it through the table
 * and carries what it writes.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/gcs.h"
#include "provider/gemini.h"
#include "provider/google.h"
#include "provider/objects.h"
#include "provider/openai.h"
#include "provider/vertex.h"
#include "provider/wire.h"

#define FIND_PAGE 100

/* Addresses */

static char *
endpoint_of(const BiServer *server)
{
	const char *location = server->location ? server->location : "global";

	if (strcmp(location, "global") == 0)
		return pstrdup("https://aiplatform.googleapis.com");
	if (strcmp(location, "us") == 0 || strcmp(location, "eu") == 0)
		return psprintf("https://aiplatform.%s.rep.googleapis.com", location);
	return psprintf("https://%s-aiplatform.googleapis.com", location);
}

char *
bi_vertex_url(const BiServer *server, const char *path)
{
	return psprintf("%s%s", bi_wire_base_url(server, endpoint_of(server)), path);
}

char *
bi_vertex_jobs(const BiServer *server, const char *id)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/v1/projects/");
	bi_wire_append_escaped(&path, server->project);
	appendStringInfo(&path, "/locations/%s/batchPredictionJobs", server->location);
	if (id)
	{
		appendStringInfoChar(&path, '/');
		bi_wire_append_escaped(&path, id);
	}
	return path.data;
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	bi_exchange_request(ex, method, bi_vertex_url(call->server, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

static void
add_body(BiExchange *ex)
{
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
}

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

static char *
account(const BiCall *call, const char *secret)
{
	return psprintf("%s %s", call->server->project, call->server->location);
}

static void
authorize(const BiCall *call, const char *proof, BiExchange *ex)
{
	bi_google_bearer(proof, ex);
}

/* Create */

static void
create(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", bi_vertex_jobs(call->server, NULL));
	add_body(ex);
	bi_vertex_job_append(&ex->head, call);
}

bool
bi_vertex_is_nowhere(const BiCall *call, const BiExchange *ex, BiVerdict *verdict)
{
	if (verdict->kind != BI_UNCLEAR || ex->transport != BI_TRANSPORT_REPLIED || ex->status != 404)
		return false;
	verdict->message = psprintf("there is no location \"%s\" at this address: %s", call->server->location, verdict->message);
	return true;
}

/* The input is looked for only later: what is not there is the model or the project; and who
 * has no such address has done nothing. */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_ABSENT)
		verdict.kind = BI_REFUSED;
	else if (bi_vertex_is_nowhere(call, ex, &verdict))
		verdict.kind = BI_DENIED;
	if (verdict.kind == BI_OK && (!bi_vertex_job_read(parse_body(ex), batch) || batch->id == NULL))
		return bi_openai_reply_unexpected(ex, "a batch prediction job");
	return verdict;
}

/* Find */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "%s?pageSize=%d&filter=", bi_vertex_jobs(call->server, NULL), FIND_PAGE);
	bi_wire_append_escaped(&path, psprintf("labels." BI_VERTEX_INTENT "=%s", call->chunk->intent));
	if (cursor)
	{
		appendStringInfoString(&path, "&pageToken=");
		bi_wire_append_escaped(&path, cursor);
	}
	begin(call, ex, "GET", path.data);
}

/* Is it the cursor that the page was asked with, as find wrote it? */
static bool
is_asked_cursor(const BiExchange *ex, const char *cursor)
{
	StringInfoData asked;
	const char *given = ex->url ? strstr(ex->url, "&pageToken=") : NULL;

	initStringInfo(&asked);
	appendStringInfoString(&asked, "&pageToken=");
	bi_wire_append_escaped(&asked, cursor);
	return given && strcmp(given, asked.data) == 0;
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_vertex_job_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of batch prediction jobs");
	/* the same place again: this list does not go on, so nothing is certain */
	if (found->cursor && is_asked_cursor(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
}

/* Poll, cancel */

static void
poll(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "GET", bi_vertex_jobs(call->server, call->chunk->batch_id));
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK &&
		(!bi_vertex_job_read(parse_body(ex), batch) || batch->id == NULL || strcmp(batch->id, call->chunk->batch_id) != 0))
		return bi_openai_reply_unexpected(ex, "this batch prediction job");
	return verdict;
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", psprintf("%s:cancel", bi_vertex_jobs(call->server, call->chunk->batch_id)));
	add_body(ex);
	appendStringInfoString(&ex->head, "{}");
}

static bool
is_code(const BiVerdict *verdict, const char *code)
{
	return verdict->code && strcmp(verdict->code, code) == 0;
}

/* What has ended in the meantime is refused: the next poll tells. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	if (verdict.kind == BI_REFUSED && is_code(&verdict, "FAILED_PRECONDITION"))
		return (BiVerdict) {BI_OK};
	return verdict;
}

/* Results */

static BiVerdict
read_fetch(const BiCall *call, const BiExchange *ex)
{
	return bi_gcs_read_get(ex);
}

/* The i-th job that we left in the list, from 0: the last one, then those that failed before. */
static char *
job_of(const BiChunk *chunk, int i)
{
	const char *dead = bi_ref_get(chunk->refs, BI_VERTEX_DEAD);

	if (chunk->batch_id && i-- == 0)
		return chunk->batch_id;
	while (dead && *dead)
	{
		size_t		len = strcspn(dead, " ");

		if (i-- == 0)
			return pnstrdup(dead, len);
		dead += len + strspn(dead + len, " ");
	}
	return NULL;
}

/* The objects first, then the jobs. */
static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	char	   *job;

	if (bi_vertex_store_discard(call, i, ex))
		return true;
	job = job_of(call->chunk, i - bi_objects_count(call->chunk->refs));
	if (job)
		begin(call, ex, "DELETE", bi_vertex_jobs(call->server, job));
	return job != NULL;
}

/* A job can go a moment after its end.  Who may not remove what he left may well go on with
 * everything else. */
static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);

	if (verdict.kind == BI_REFUSED && is_code(&verdict, "FAILED_PRECONDITION"))
		verdict.kind = BI_NOT_YET;
	else if (verdict.kind == BI_DENIED && ex->status == 403)
		verdict.kind = BI_REFUSED;
	return verdict;
}

static const char *const server_options[] = {
	"project", "location", "request_labels", "prompt_cache", "authority_url", "storage_url",
	"storage_base_url", NULL
};
static const char *const required[] = {"project", "location", "storage_url", NULL};
static const char *const mapping_options[] = {
	"service_account", "service_account_file", "credential_source", NULL
};

const BiProvider bi_vertex = {
	.name = "vertex",
	.base_url = "https://{location}-aiplatform.googleapis.com",
	.limits = {
		.max_requests = 200000,
		.min_requests = 1,
		.max_bytes = 1000000000,
		.poll_interval = 60,
		.settle_time = 60,
	},
	.server_options = server_options,
	.required = required,
	.mapping_options = mapping_options,
	.storage = "gs://",
	.limit_model = bi_vertex_model_limit,
	.refuse_job = bi_vertex_spec_refuse_job,
	.refuse_input = bi_vertex_spec_refuse_input,
	.embedding_size = bi_gemini_embedding_size,
	.frame = bi_vertex_spec_frame,
	.secret = bi_google_secret,
	.account = account,
	.login = bi_google_login,
	.read_login = bi_google_read_login,
	.authorize = authorize,
	.upload = bi_vertex_store_upload,
	.read_upload = bi_vertex_store_read_upload,
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = read_find,
	.poll = poll,
	.read_poll = read_poll,
	.cancel = cancel,
	.read_cancel = read_cancel,
	.outputs = bi_vertex_store_outputs,
	.read_outputs = bi_vertex_store_read_outputs,
	.fetch = bi_vertex_store_fetch,
	.read_fetch = read_fetch,
	.read_line = bi_vertex_line_read,
	.fingerprint = bi_gemini_line_fingerprint,
	.discard = discard,
	.read_discard = read_discard,
	.check = bi_vertex_check,
	.read_check = bi_vertex_read_check,
};
