/*
 * provider/vertex_check.c: what batch_check asks of Vertex AI and Cloud Storage.
 *
 * Three requests, all free, told by the cursor: the list of jobs (token, project, location,
 * right), the server's part of the bucket, the model.  Called through the routine table.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/gcs.h"
#include "provider/vertex.h"
#include "provider/wire.h"

/* Turns. */
#define BUCKET "bucket"
#define MODEL "model"

static bool
is_turn(const BiCall *call, const char *turn)
{
	return call->cursor && strcmp(call->cursor, turn) == 0;
}

static void
ask(const BiCall *call, const char *path, BiExchange *ex)
{
	bi_exchange_request(ex, "GET", bi_vertex_url(call->server, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

/* Each part of the name, which has slashes, is escaped. */
static char *
model_path(const BiCall *call)
{
	const char *name = bi_vertex_model_name(call->server, call->server->model);
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/v1/");
	if (!bi_vertex_model_is_tuned(call->server->model) && strstr(name, "publishers/"))
		name = strstr(name, "publishers/");
	for (;;)
	{
		size_t		len = strcspn(name, "/");

		bi_wire_append_escaped(&path, pnstrdup(name, len));
		if (name[len] == '\0')
			return path.data;
		appendStringInfoChar(&path, '/');
		name += len + 1;
	}
}

void
bi_vertex_check(const BiCall *call, BiExchange *ex)
{
	if (is_turn(call, BUCKET))
		bi_gcs_list(call, bi_vertex_store_root(call->server, ""), 1, NULL, ex);
	else if (is_turn(call, MODEL))
		ask(call, model_path(call), ex);
	else
		ask(call, psprintf("%s?pageSize=1", bi_vertex_jobs(call->server, NULL)), ex);
}

static BiVerdict
finding(BiVerdict verdict, BiVerdictKind kind, char *words)
{
	verdict.kind = kind;
	verdict.message = psprintf("%s: %s", words, verdict.message);
	return verdict;
}

static BiVerdict
judge_place(const BiCall *call, const BiExchange *ex, BiVerdict verdict)
{
	if (verdict.kind == BI_OK)
		verdict.next = pstrdup(BUCKET);
	else if (verdict.kind == BI_ABSENT)
		return finding(verdict, BI_REFUSED, psprintf("there is no project \"%s\" in location \"%s\"", call->server->project, call->server->location));
	else if (bi_vertex_is_nowhere(call, ex, &verdict))
		verdict.kind = BI_REFUSED;
	return verdict;
}

static BiVerdict
judge_bucket(const BiCall *call, BiVerdict verdict)
{
	const char *bucket = call->server->storage_url + strlen("gs://");
	char	   *name = pnstrdup(bucket, strcspn(bucket, "/"));

	if (verdict.kind == BI_ABSENT)
		return finding(verdict, BI_REFUSED, psprintf("bucket \"%s\" does not exist", name));
	if (verdict.kind == BI_DENIED)
		return finding(verdict, BI_DENIED, psprintf("bucket \"%s\" may not be listed", name));
	if (verdict.kind == BI_OK && call->server->model)
		verdict.next = pstrdup(MODEL);
	return verdict;
}

static BiVerdict
judge_model(const BiCall *call, BiVerdict verdict)
{
	if (verdict.kind == BI_OK)
		verdict.message = psprintf("token, project, location and bucket are good and model \"%s\" is there; whether it takes batches in location \"%s\", and"
								   " whether Vertex AI's own agent may read and write the bucket, only a batch tells",
								   call->server->model, call->server->location);
	return verdict;
}

BiVerdict
bi_vertex_read_check(const BiCall *call, const BiExchange *ex)
{
	if (is_turn(call, BUCKET))
		return judge_bucket(call, bi_gcs_verdict(ex));
	if (is_turn(call, MODEL))
		return judge_model(call, bi_gapi_verdict(ex));
	return judge_place(call, ex, bi_gapi_verdict(ex));
}
