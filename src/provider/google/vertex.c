/*
 * provider/google/vertex.c: the routine table of Vertex AI's batch prediction jobs.
 *
 * Knows which reply answers which request.  The parts stand elsewhere:
 * - what a chunk has in Cloud Storage in vertex_store.c, prediction jobs in vertex_job.c;
 * - lines in vertex_spec.c, answers in vertex_line.c, names of models in vertex_model.c;
 * - logins in google.c, the check in vertex_check.c.
 *
 * The paid call, create, takes no token of the caller's.  So the chunk's intent and the number of
 * the try are labels of the prediction job, and a lost one is searched for by them.
 *
 * Bytes and the token go to two hosts, Vertex AI's and Cloud Storage's; both are server options.
 *
 * Sources: discovery of aiplatform v1 and storage v1 (npm googleapis 178), npm @google/genai 2.32,
 * docs.cloud.google.com; all seen 2026-11.
 */
#include "postgres.h"

#include "provider/google/gapi.h"
#include "provider/google/gcs.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_line.h"
#include "provider/google/google.h"
#include "provider/google/google_secret.h"
#include "provider/google/vertex.h"
#include "provider/google/vertex_address.h"
#include "provider/google/vertex_check.h"
#include "provider/google/vertex_job.h"
#include "provider/google/vertex_line.h"
#include "provider/google/vertex_model.h"
#include "provider/google/vertex_realtime.h"
#include "provider/google/vertex_spec.h"
#include "provider/google/vertex_store.h"
#include "provider/objects.h"
#include "provider/report.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define FIND_PAGE 100

/* The code for a request that does not fit the prediction job's state. */
#define UNFIT_STATE "FAILED_PRECONDITION"

/* The routines of the table.  provider.h has their contracts; a comment here says what is
 * special. */

/* Says that a request has a body of JSON, which the caller appends to ex->head. */
static void
add_body(BiExchange *ex)
{
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
}

/* All credentials of a project see the same prediction jobs. */
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
	bi_vertex_address_request(call, "POST", bi_vertex_address_jobs(call->server, NULL), ex);
	add_body(ex);
	bi_vertex_job_append(&ex->head, call);
}

/*
 * 404 is the model or the project, which will stay missing: Vertex AI looks for the input later.  A
 * 404 of Google's front end means that there is no such location: nothing was done, and a person
 * must act.
 */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	if (verdict.kind == BI_VERDICT_ABSENT)
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	else if (bi_vertex_address_is_unknown(call, ex, &verdict))
		bi_verdict_change(&verdict, ex, BI_VERDICT_DENIED);
	return bi_report_take(verdict, ex, bi_vertex_job_read, "a batch prediction job", batch);
}

/* Find */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "%s?pageSize=%d&filter=", bi_vertex_address_jobs(call->server, NULL),
					 FIND_PAGE);
	bi_wire_append_escaped(&path, psprintf("labels." BI_VERTEX_INTENT "=%s", call->chunk->intent));
	if (cursor)
	{
		appendStringInfoString(&path, "&pageToken=");
		bi_wire_append_escaped(&path, cursor);
	}
	bi_vertex_address_request(call, "GET", path.data, ex);
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	return bi_report_take_page(bi_gapi_verdict(ex), call, ex, bi_vertex_job_find,
							   "pageToken", "a list of batch prediction jobs", found);
}

/* Poll, cancel */

/* Returns the path of the chunk's prediction job, palloc'd. */
static char *
path_of_job(const BiCall *call)
{
	return bi_vertex_address_jobs(call->server, call->chunk->batch->id);
}

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_vertex_address_request(call, "GET", path_of_job(call), ex);
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	return bi_report_take_own(bi_gapi_verdict(ex), ex, bi_vertex_job_read,
							  call->chunk->batch->id, "this batch prediction job", batch);
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	bi_vertex_address_request(call, "POST", psprintf("%s:cancel", path_of_job(call)), ex);
	add_body(ex);
	appendStringInfoString(&ex->head, "{}");
}

/* A prediction job that has ended in the meantime is refused.  That is OK: the next poll says how
 * it ended. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	if (verdict.kind == BI_VERDICT_REFUSED && bi_words_equal(verdict.code, UNFIT_STATE))
		return (BiVerdict) {BI_VERDICT_OK};
	return verdict;
}

/* Results */

static BiVerdict
read_fetch(const BiCall *call, const BiExchange *ex)
{
	return bi_gcs_read_get(ex);
}

/* The objects first, then the prediction jobs: the list of a project is a place where we leave
 * things too. */
static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	char	   *job;

	if (bi_vertex_store_discard(call, i, ex))
		return true;
	job = bi_batch_known(call->chunk->batch, i - bi_objects_count(call->chunk->batch->refs));
	if (job)
		bi_vertex_address_request(call, "DELETE", bi_vertex_address_jobs(call->server, job), ex);
	return job != NULL;
}

/* A prediction job can be deleted only a moment after its end.  A caller that may not delete can do
 * everything else, so 403 is REFUSED here: the object is left behind and reported. */
static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);

	if (verdict.kind == BI_VERDICT_REFUSED && bi_words_equal(verdict.code, UNFIT_STATE))
		bi_verdict_change(&verdict, ex, BI_VERDICT_NOT_YET);
	else if (verdict.kind == BI_VERDICT_DENIED && ex->status == 403)
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	return verdict;
}

static const char *const server_options[] = {
	"project", "location", "request_labels", "prompt_cache", "authority_url", "storage_url",
	"storage_base_url", "realtime_base_url", NULL
};
static const char *const required[] = {"project", "location", "storage_url", NULL};
static const char *const mapping_options[] = {
	"service_account", "service_account_file", "credential_source", NULL
};

static const BiProviderJob job_routines = {
	.refuse_job = bi_vertex_spec_refuse_job,
	.refuse_input = bi_vertex_spec_refuse_input,
	.embedding_size = bi_gemini_embedding_size,
	.frame = bi_vertex_spec_frame,
};

static const BiProviderLogin login_routines = {
	.secret = bi_google_secret_find,
	.account = account,
	.request_token = bi_google_login,
	.read_token = bi_google_read_login,
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
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
};

static const BiProviderRealtime realtime_routines = {
	.frame = bi_vertex_realtime_frame,
	.request = bi_vertex_realtime_request,
	.read = bi_vertex_realtime_read,
};

static const BiProviderCheck check_routines = {
	.request = bi_vertex_check_request,
	.read = bi_vertex_check_read,
};

const BiProvider bi_vertex = {
	.name = "vertex",
	.defaults = {
		.base_url = "https://{location}-aiplatform.googleapis.com",
		.limits = {
			.max_requests = 200000,
			.min_requests = 1,
			.max_bytes = 1000000000,
			.poll_interval = 60,
			.settle_time = 60,
		},
		.server_options = server_options,
		.required_options = required,
		.mapping_options = mapping_options,
		.storage_prefix = "gs://",
		.limit_model = bi_vertex_model_limit,
	},
	.job = &job_routines,
	.login = &login_routines,
	.batch = &batch_routines,
	.realtime = &realtime_routines,
	.check = &check_routines,
};
