/*
 * provider/google/vertex_check.c: what batch_check asks Vertex AI and Cloud Storage.
 *
 * Three requests, all free.  The cursor says which one is next:
 * 1. List prediction jobs.  This shows whether token, project and location are good.
 * 2. List our folder of the bucket.
 * 3. Ask for the model, if the server has one.
 */
#include "postgres.h"

#include "provider/folder.h"
#include "provider/google/gapi.h"
#include "provider/google/gcs.h"
#include "provider/google/vertex_address.h"
#include "provider/google/vertex_check.h"
#include "provider/google/vertex_model.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Cursors, by which the requests are told apart. */
#define BUCKET "bucket"
#define MODEL "model"

/* True if this request is that one. */
static bool
is_turn(const BiCall *call, const char *turn)
{
	return bi_words_equal(call->cursor, turn);
}

/* Returns the path of the server's model, palloc'd.  A publisher's model has no project in it. */
static char *
model_path(const BiCall *call)
{
	const char *name = bi_vertex_model_name(call->server, call->server->model);
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/v1/");
	if (!bi_vertex_model_is_tuned(call->server->model) && strstr(name, "publishers/"))
		name = strstr(name, "publishers/");
	bi_wire_append_path(&path, name);
	return path.data;
}

/* Returns the path of the list of jobs, one entry of it, palloc'd. */
static char *
first_job_path(const BiCall *call)
{
	return psprintf("%s?pageSize=1", bi_vertex_address_jobs(call->server, NULL));
}

void
bi_vertex_check_request(const BiCall *call, BiExchange *ex)
{
	if (is_turn(call, BUCKET))
		bi_gcs_list(call, bi_folder_root(call->server, ""), 1, NULL, ex);
	else if (is_turn(call, MODEL))
		bi_vertex_address_request(call, "GET", model_path(call), ex);
	else
		bi_vertex_address_request(call, "GET", first_job_path(call), ex);
}

/* Returns the verdict as one of that kind, with words before its message.  Takes over the words. */
static BiVerdict
finding(const BiExchange *ex, BiVerdict verdict, BiVerdictKind kind, char *words)
{
	bi_verdict_change(&verdict, ex, kind);
	verdict.message = psprintf("%s: %s", words, verdict.message);
	return verdict;
}

/* Returns what the list of prediction jobs says about token, project and location. */
static BiVerdict
judge_place(const BiCall *call, const BiExchange *ex, BiVerdict verdict)
{
	if (verdict.kind == BI_VERDICT_OK)
		verdict.next = pstrdup(BUCKET);
	else if (verdict.kind == BI_VERDICT_ABSENT)
		return finding(ex, verdict, BI_VERDICT_REFUSED,
					   psprintf("there is no project \"%s\" in location \"%s\"",
								call->server->project, call->server->location));
	else if (bi_vertex_address_is_unknown(call, ex, &verdict))
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	return verdict;
}

/* Returns what the list of the bucket says. */
static BiVerdict
judge_bucket(const BiCall *call, const BiExchange *ex, BiVerdict verdict)
{
	const char *bucket = call->server->storage_url + strlen("gs://");
	char	   *name = pnstrdup(bucket, strcspn(bucket, "/"));

	if (verdict.kind == BI_VERDICT_ABSENT)
		return finding(ex, verdict, BI_VERDICT_REFUSED,
					   psprintf("bucket \"%s\" does not exist", name));
	if (verdict.kind == BI_VERDICT_DENIED)
		return finding(ex, verdict, BI_VERDICT_DENIED,
					   psprintf("bucket \"%s\" may not be listed", name));
	if (verdict.kind == BI_VERDICT_OK && call->server->model)
		verdict.next = pstrdup(MODEL);
	return verdict;
}

/* Returns what the model says, and with OK what no check can find out. */
static BiVerdict
judge_model(const BiCall *call, BiVerdict verdict)
{
	if (verdict.kind == BI_VERDICT_OK)
		verdict.message = psprintf("token, project, location and bucket are good and model \"%s\" "
								   "exists; whether it takes batches in location \"%s\", and "
								   "whether Vertex AI's own agent may read and write the bucket, "
								   "only a batch shows",
								   call->server->model, call->server->location);
	return verdict;
}

BiVerdict
bi_vertex_check_read(const BiCall *call, const BiExchange *ex)
{
	if (is_turn(call, BUCKET))
		return judge_bucket(call, ex, bi_gcs_verdict(ex));
	if (is_turn(call, MODEL))
		return judge_model(call, bi_gapi_verdict(ex));
	return judge_place(call, ex, bi_gapi_verdict(ex));
}
