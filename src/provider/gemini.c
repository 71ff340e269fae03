/*
 * provider/gemini.c: the Gemini Developer API: the routine table, and which reply answers
 * which request.
 *
 * Knows requests and models; requests' lines are gemini_spec.c's, results gemini_line.c's,
 * files gemini_file.c's, batches gemini_batch.c's.  No I/O, no clock: the engine calls it
 * through the table and carries what it writes.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/gemini.h"
#include "provider/openai.h"
#include "provider/wire.h"

static const BiGeminiDialect dialect = {.keys = true};

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

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

/* "models/" + name, with or without which a model may be named */
static char *
model_path(const char *model, const char *after)
{
	static const char prefix[] = "models/";
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, prefix);
	bi_wire_append_escaped(&path, strncmp(model, prefix, strlen(prefix)) == 0 ? model + strlen(prefix) : model);
	appendStringInfoString(&path, after);
	return path.data;
}

/* Create */

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
	const char *input = bi_ref_get(call->chunk->refs, BI_GEMINI_INPUT);

	begin_body(call, model_path(spec->model, spec->task == BI_TASK_EMBEDDING ? ":asyncBatchEmbedContent" : ":batchGenerateContent"), ex);
	appendStringInfo(&ex->head, "{\"batch\":{\"displayName\":\"%s\",\"inputConfig\":{\"fileName\":", bi_gemini_api_token(call->chunk));
	bi_json_append_string(&ex->head, input ? input : "");
	appendStringInfoString(&ex->head, "}}}");
}

/* What is absent here may be the input, which is told as forbidden, or the model. */
static BiVerdictKind
create_kind(const BiExchange *ex, const BiVerdict *verdict)
{
	if (verdict->kind == BI_ABSENT && ex->status == 404)
		return strstr(verdict->message, "models/") ? BI_REFUSED : BI_ABSENT;
	if (verdict->kind == BI_REFUSED && strstr(verdict->message, "not in an ACTIVE state"))
		return BI_NOT_YET;
	return verdict->kind;
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	verdict.kind = create_kind(ex, &verdict);
	if (verdict.kind == BI_OK && !bi_gemini_batch_read(parse_body(ex), batch))
		return bi_openai_reply_unexpected(ex, "a batch");
	return verdict;
}

/* Find */

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
	BiVerdict	verdict = bi_gemini_api_verdict(ex);
	char	   *asked;

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_gemini_batch_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of batches");
	/* the same place again: this list does not go on, so nothing is certain */
	asked = found->cursor ? strstr(ex->url, "/batches?") : NULL;
	if (asked && strcmp(asked + 1, list_path(found->cursor)) == 0)
		found->cursor = NULL;
	return verdict;
}

/* Poll, cancel, discard */

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_gemini_api_request(call, "GET", "", call->chunk->batch_id, ex);
}

/* Where the results are may be told later than that there are some. */
static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind != BI_OK)
		return verdict;
	if (!bi_gemini_batch_read(parse_body(ex), batch) || strcmp(batch->id, call->chunk->batch_id) != 0)
		return bi_openai_reply_unexpected(ex, "this batch");
	if (batch->state == BI_BATCH_COMPLETED && batch->refs == NIL)
		return (BiVerdict) {BI_NOT_YET, pstrdup("no_output_yet"), pstrdup("the batch has succeeded, and does not tell yet where its results are")};
	return verdict;
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin_body(call, psprintf("%s:cancel", call->chunk->batch_id), ex);
	appendStringInfoString(&ex->head, "{}");
}

/* What ended in the meantime is refused: the next poll tells. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (verdict.kind == BI_REFUSED && ex->status == 400)
		return (BiVerdict) {BI_OK};
	return verdict;
}

/* All that a chunk may have left there, from 0: the files, then the batches. */
static const char *
left_behind(const BiChunk *chunk, int i)
{
	const char *output = bi_ref_get(chunk->refs, BI_GEMINI_OUTPUT);

	if (i-- == 0)
		return bi_gemini_file_input(chunk);
	if (output && i-- == 0)
		return output;
	return bi_gemini_batch_of(chunk, i);
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

/* The model */

static void
check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	bi_gemini_api_request(call, "GET", "", model ? model_path(model, "") : "models?pageSize=1", ex);
}

/* Where it tells what the model can: can it be asked in batches? */
static bool
takes_batches(const BiJson *model)
{
	const BiJson *methods = bi_json_at(model, "supportedGenerationMethods", NULL);

	for (int i = 0; bi_json_type(methods) == BI_JSON_ARRAY && i < bi_json_length(methods); i++)
	{
		const char *method = bi_json_string(bi_json_item(methods, i), NULL);

		if (method && (strcmp(method, "batchGenerateContent") == 0 || strcmp(method, "asyncBatchEmbedContent") == 0))
			return true;
	}
	return bi_json_type(methods) != BI_JSON_ARRAY;
}

static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);
	BiJson	   *json = verdict.kind == BI_OK ? parse_body(ex) : NULL;

	if (verdict.kind != BI_OK)
		return verdict;
	if (!bi_json_at(json, "name", NULL) && !bi_json_at(json, "models", NULL))
		return bi_openai_reply_unexpected(ex, "a model");
	if (!takes_batches(json))
		return (BiVerdict) {BI_ABSENT, pstrdup("no_batches"), pstrdup("the model cannot be asked in batches")};
	return verdict;
}

static const char *const server_options[] = {"api_version", NULL};
static const char *const mapping_options[] = {"api_key", "api_key_file", "api_key_env", NULL};

const BiProvider bi_gemini = {
	.name = "gemini",
	.base_url = "https://generativelanguage.googleapis.com",
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
	.refuse_job = refuse_job,
	.refuse_input = bi_gemini_spec_refuse_input,
	.embedding_size = bi_gemini_embedding_size,
	.frame = frame,
	.authorize = authorize,
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
	.check = check,
	.read_check = read_check,
};
