/*
 * provider/google/gemini.c: the routine table of the Gemini Developer API.
 *
 * Knows which reply answers which request, and the model's requests.  Lines stand in gemini_spec.c,
 * answers in gemini_line.c, files in gemini_file.c, batches in gemini_batch.c.
 *
 * Decided here:
 * - Input and results are files, and each line has its "key".  Requests inside the create call are
 *   not used: their results have come in another order (source: googleapis/python-genai#1909), and
 *   they hold 20 MB only.
 * - The paid call, create, takes no token.  A batch has the chunk's intent as its display name, and
 *   a lost one is searched for by it.
 *
 * Sources: ai.google.dev, "Batch API"; npm @google/genai 2.32; both seen 2026-11.
 */
#include "postgres.h"

#include "provider/google/gapi.h"
#include "provider/google/gemini.h"
#include "provider/google/gemini_api.h"
#include "provider/google/gemini_batch.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_file.h"
#include "provider/google/gemini_line.h"
#include "provider/google/gemini_spec.h"
#include "provider/report.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* The methods of a model that create a batch of texts, and one of embeddings. */
#define GENERATE "batchGenerateContent"
#define EMBED "asyncBatchEmbedContent"

static const BiGeminiDialect dialect = {.keys = true};

/* The routines of the table.  provider.h has their contracts; a comment here says what is
 * special. */

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	bi_exchange_add_header(ex, "x-goog-api-key", secret);
}

/* Jobs */

static char *
refuse_job(const BiSpec *spec, const BiServer *server)
{
	return bi_gemini_spec_refuse_job(&dialect, spec);
}

static void
frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	bi_gemini_spec_frame(&dialect, spec, server, frame);
}

/* Returns "models/NAME" and after, palloc'd.  A model may be named with or without "models/". */
static char *
model_path(const char *model, const char *after)
{
	static const char prefix[] = "models/";
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, prefix);
	if (bi_words_begin(model, prefix))
		model += strlen(prefix);
	bi_wire_append_escaped(&path, model);
	appendStringInfoString(&path, after);
	return path.data;
}

/* Create */

/* Begins a request with a body of JSON, which the caller appends to ex->head. */
static void
begin_body(const BiCall *call, const char *path, BiExchange *ex)
{
	bi_gemini_api_request(call, "POST", "", path, ex);
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
}

static void
create(const BiCall *call, BiExchange *ex)
{
	const BiSpec *spec = &call->job->spec;
	const char *input = bi_ref_get(call->chunk->batch->refs, BI_GEMINI_INPUT);
	const char *verb = spec->task == BI_TASK_EMBEDDING ? EMBED : GENERATE;

	begin_body(call, model_path(spec->model, psprintf(":%s", verb)), ex);
	appendStringInfo(&ex->head,
					 "{\"batch\":{\"displayName\":\"%s\",\"inputConfig\":{\"fileName\":",
					 bi_gemini_api_token(call->chunk));
	bi_json_append_string(&ex->head, input ? input : "");
	appendStringInfoString(&ex->head, "}}}");
}

/*
 * Returns what a verdict on the create call means.  A 404 that names the model is about the model,
 * which will stay missing.  What else is absent is the input, for which the API says 403; it is
 * uploaded again.
 */
static BiVerdictKind
create_kind(const BiExchange *ex, const BiVerdict *verdict)
{
	if (verdict->kind == BI_VERDICT_ABSENT && ex->status == 404)
		return strstr(verdict->message, "models/") ? BI_VERDICT_REFUSED : BI_VERDICT_ABSENT;
	if (verdict->kind == BI_VERDICT_REFUSED && strstr(verdict->message, "not in an ACTIVE state"))
		return BI_VERDICT_NOT_YET;
	return verdict->kind;
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	bi_verdict_change(&verdict, ex, create_kind(ex, &verdict));
	return bi_report_take(verdict, ex, bi_gemini_batch_read, "a batch", batch);
}

/* Find */

/* Returns the path of a page of batches, palloc'd. */
static char *
list_path(const char *cursor)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "batches?pageSize=100");
	if (cursor)
	{
		appendStringInfoString(&path, "&pageToken=");
		bi_wire_append_escaped(&path, cursor);
	}
	return path.data;
}

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	bi_gemini_api_request(call, "GET", "", list_path(cursor), ex);
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	return bi_report_take_page(bi_gemini_api_verdict(ex), call, ex, bi_gemini_batch_find,
							   "pageToken", "a list of batches", found);
}

/* Poll, cancel, discard */

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_gemini_api_request(call, "GET", "", call->chunk->batch->id, ex);
}

/* A batch may have succeeded before the API says where its results are. */
static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_report_take_own(bi_gemini_api_verdict(ex), ex, bi_gemini_batch_read,
											 call->chunk->batch->id, "this batch", batch);

	if (verdict.kind == BI_VERDICT_OK && batch->state == BI_BATCH_COMPLETED && batch->refs == NIL)
		return bi_verdict_make(ex, BI_VERDICT_NOT_YET, "no_output_yet",
							   "the batch has succeeded, its results have no place yet");
	return verdict;
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin_body(call, psprintf("%s:cancel", call->chunk->batch->id), ex);
	appendStringInfoString(&ex->head, "{}");
}

/* A batch that ended in the meantime is refused.  That is OK: the next poll says how it ended. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (verdict.kind == BI_VERDICT_REFUSED && ex->status == 400)
		return (BiVerdict) {BI_VERDICT_OK};
	return verdict;
}

/* Returns the name of the i-th thing, from 0, that a chunk may have left there: its files, then its
 * batches.  NULL: there are no more. */
static const char *
left_behind(const BiChunk *chunk, int i)
{
	const char *output = bi_ref_get(chunk->batch->refs, BI_GEMINI_OUTPUT);

	if (i-- == 0)
		return bi_gemini_file_input(chunk);
	if (output && i-- == 0)
		return output;
	return bi_batch_known(chunk->batch, i);
}

static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	const char *name = left_behind(call->chunk, i);

	if (name)
		bi_gemini_api_request(call, "DELETE", "", name, ex);
	return name != NULL;
}

static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	return bi_gemini_api_verdict(ex);
}

/* One record */

static void
frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	bi_gemini_spec_frame_body(&dialect, spec, frame);
}

static void
generate(const BiCall *call, BiExchange *ex)
{
	const BiSpec *spec = &call->job->spec;
	const char *verb = spec->task == BI_TASK_EMBEDDING ? ":embedContent" : ":generateContent";

	begin_body(call, model_path(spec->model, verb), ex);
}

static BiVerdict
read_generate(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	return bi_gemini_line_reply(call, ex, bi_gemini_api_verdict(ex), line);
}

/* The model */

static void
check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	bi_gemini_api_request(call, "GET", "", model ? model_path(model, "") : "models?pageSize=1",
						  ex);
}

/* True if the model can be asked in batches, or does not say what it can. */
static bool
takes_batches(const BiJson *model)
{
	const BiJson *methods = bi_json_at(model, "supportedGenerationMethods", NULL);

	for (int i = 0; bi_json_type(methods) == BI_JSON_ARRAY && i < bi_json_length(methods); i++)
	{
		const BiJson *method = bi_json_item(methods, i);

		if (bi_json_equals(method, GENERATE) || bi_json_equals(method, EMBED))
			return true;
	}
	return bi_json_type(methods) != BI_JSON_ARRAY;
}

static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);
	BiJson	   *json = verdict.kind == BI_VERDICT_OK ? bi_wire_body(ex) : NULL;

	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	if (!bi_json_at(json, "name", NULL) && !bi_json_at(json, "models", NULL))
		return bi_verdict_unexpected(ex, "a model");
	if (!takes_batches(json))
		return bi_verdict_make(ex, BI_VERDICT_ABSENT, "no_batches",
							   "the model cannot be asked in batches");
	return verdict;
}

static const char *const server_options[] = {"api_version", "realtime_base_url", NULL};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

static const BiProviderJob job_routines = {
	.refuse_job = refuse_job,
	.refuse_input = bi_gemini_spec_refuse_input,
	.embedding_size = bi_gemini_embedding_size,
	.frame = frame,
};

static const BiProviderLogin login_routines = {
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
	.upload = bi_gemini_file_upload,
	.read_upload = bi_gemini_file_read_upload,
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = read_find,
	.poll = poll,
	.read_poll = read_poll,
	.cancel = cancel,
	.read_cancel = read_cancel,
	.fetch = bi_gemini_file_fetch,
	.read_fetch = bi_gemini_file_read_fetch,
	.read_line = bi_gemini_line_read,
	.discard = discard,
	.read_discard = read_discard,
};

static const BiProviderRealtime realtime_routines = {
	.frame = frame_body,
	.request = generate,
	.read = read_generate,
};

static const BiProviderCheck check_routines = {
	.request = check,
	.read = read_check,
};

const BiProvider bi_gemini = {
	.name = "gemini",
	.defaults = {
		.base_url = BI_GEMINI_API_URL,
		.limits = {
			.max_requests = 200000,
			.min_requests = 1,
			.max_bytes = 2000000000,
			.max_batches = 100,
			.poll_interval = 60,
			.settle_time = 60,
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
