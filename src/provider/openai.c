/*
 * provider/openai.c: OpenAI's batch API: the routine table and its requests.
 *
 * Knows paths, forms and headers; what bodies mean stands in openai_spec.c (lines that
 * we send), openai_reply.c, openai_batch.c and openai_line.c (what comes back).  No
 * I/O, no clock: the engine calls it through the table and carries what it writes.
 */
#include "postgres.h"

#include "provider/openai.h"
#include "provider/wire.h"

#define BASE_URL "https://api.openai.com/v1"
#define FILE_LIFE (7 * 24 * 60 * 60)	/* of uploads, where the server does not say */

/* Begins a request: method, URL and the headers that hold no secret. */
static void
begin_for(const BiCall *call, BiExchange *ex, const char *method, const char *path, const char *accept)
{
	char	   *base = bi_wire_base_url(call->server, BASE_URL);

	bi_exchange_request(ex, method, psprintf("%s%s", base, path));
	bi_exchange_add_header(ex, "Accept", accept);
	if (call->server->organization)
		bi_exchange_add_header(ex, "OpenAI-Organization", call->server->organization);
	if (call->server->project)
		bi_exchange_add_header(ex, "OpenAI-Project", call->server->project);
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

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	char	   *value = psprintf("Bearer %s", secret);

	bi_exchange_add_header(ex, "Authorization", value);
	explicit_bzero(value, strlen(value));
	pfree(value);
}

/* Files. */

static void
append_field(StringInfo form, const char *boundary, const char *name, const char *value)
{
	appendStringInfo(form, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, name, value);
}

static void
upload(const BiCall *call, BiExchange *ex)
{
	int64		life = call->server->expires_after >= 0 ? call->server->expires_after : FILE_LIFE;
	char	   *boundary = psprintf("batchinf-%s", call->chunk->intent);

	begin(call, ex, "POST", "/files");
	bi_exchange_add_header(ex, "Content-Type", psprintf("multipart/form-data; boundary=%s", boundary));
	ex->has_body = true;
	append_field(&ex->head, boundary, "purpose", "batch");
	if (life > 0)
	{
		append_field(&ex->head, boundary, "expires_after[anchor]", "created_at");
		append_field(&ex->head, boundary, "expires_after[seconds]", psprintf(INT64_FORMAT, life));
	}
	appendStringInfo(&ex->head, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"batchinf-%s-%d.jsonl\"\r\n"
					 "Content-Type: application/jsonl\r\n\r\n",
					 boundary, call->chunk->intent, call->chunk->attempt);
	appendStringInfo(&ex->tail, "\r\n--%s--\r\n", boundary);
}

static BiVerdict
read_upload(const BiCall *call, const BiExchange *ex, List **refs)
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

/* The file's name in the part-th place, NULL where there is none. */
static const char *
nth_file(const BiCall *call, const char *const *names, int n, int count)
{
	for (int i = 0; i < count; i++)
	{
		const char *id = bi_ref_get(call->chunk->refs, names[i]);

		if (id && *id && n-- == 0)
			return id;
	}
	return NULL;
}

static bool
fetch(const BiCall *call, int part, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, part, lengthof(names));

	if (id)
		begin_for(call, ex, "GET", path_of("/files/", id, "/content"), "application/binary");
	return id != NULL;
}

static BiVerdict
read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	const char *type = bi_exchange_reply_header(ex, "content-type");
	bool		page = type && pg_strncasecmp(type, "text/html", 9) == 0;

	if (verdict.kind == BI_OK && (page || (ex->status != 200 && ex->status != 204)))
		return bi_openai_reply_unexpected(ex, "a whole results file");
	return verdict;
}

static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_INPUT, BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, i, lengthof(names));

	if (id)
		begin(call, ex, "DELETE", path_of("/files/", id, ""));
	return id != NULL;
}

static BiVerdict
read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (verdict.kind == BI_OK && !bi_json_bool(bi_json_at(parse_body(ex), "deleted", NULL), true))
		return bi_openai_reply_unexpected(ex, "a deletion");
	return verdict;
}

/* Batches. */

static void
append_pair(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, "\"%s\":", key);
	bi_json_append_string(json, value);
}

static void
create(const BiCall *call, BiExchange *ex)
{
	const BiServer *server = call->server;
	const char *input = bi_ref_get(call->chunk->refs, BI_OPENAI_INPUT);

	begin(call, ex, "POST", "/batches");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	appendStringInfoChar(&ex->head, '{');
	append_pair(&ex->head, "input_file_id", input ? input : "");
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "endpoint", bi_openai_spec_endpoint(&call->job->spec));
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "completion_window", server->completion_window ? server->completion_window : "24h");
	appendStringInfoString(&ex->head, ",\"metadata\":{");
	append_pair(&ex->head, BI_OPENAI_INTENT, call->chunk->intent);
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, BI_OPENAI_TRY, psprintf("%d", call->chunk->tries));
	appendStringInfoChar(&ex->head, '}');
	if (server->expires_after > 0)
		appendStringInfo(&ex->head, ",\"output_expires_after\":{\"anchor\":\"created_at\",\"seconds\":" INT64_FORMAT "}",
						 server->expires_after);
	appendStringInfoChar(&ex->head, '}');
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK && (!bi_openai_batch_read(parse_body(ex), batch) || batch->id == NULL))
		return bi_openai_reply_unexpected(ex, "a batch object");
	return verdict;
}

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	begin(call, ex, "GET", cursor ? path_of("/batches?limit=100&after=", cursor, "") : "/batches?limit=100");
}

/* Is it the cursor that the page was asked with, as find wrote it? */
static bool
is_asked_cursor(const BiExchange *ex, const char *cursor)
{
	const char *after = ex->url ? strstr(ex->url, "&after=") : NULL;

	return after && strcmp(after, path_of("&after=", cursor, "")) == 0;
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_openai_batch_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of batches");
	/* the same place again: this server does not go on, so nothing is certain */
	if (found->cursor && is_asked_cursor(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
}

static void
poll(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "GET", path_of("/batches/", call->chunk->batch_id, ""));
}

static bool
is_chunks(const BiCall *call, const BiBatch *batch)
{
	return batch->id && call->chunk->batch_id && strcmp(batch->id, call->chunk->batch_id) == 0;
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
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

static void
cancel(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", path_of("/batches/", call->chunk->batch_id, "/cancel"));
	ex->has_body = true;		/* an empty one */
}

/* What ended in the meantime is refused with 400 or 409: the next poll tells. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409))
		return (BiVerdict) {BI_OK, NULL, NULL};
	return bi_openai_reply_verdict(ex);
}

/* The model. */

static void
check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	begin(call, ex, "GET", model ? path_of("/models/", model, "") : "/models");
}

static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json = verdict.kind == BI_OK ? parse_body(ex) : NULL;

	if (verdict.kind == BI_OK && !bi_json_at(json, "id", NULL) && !bi_json_at(json, "data", NULL))
		return bi_openai_reply_unexpected(ex, "a model");
	return verdict;
}

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
	.refuse_job = bi_openai_spec_refuse_job,
	.refuse_input = bi_openai_spec_refuse_input,
	.frame = bi_openai_spec_frame,
	.authorize = authorize,
	.upload = upload,
	.read_upload = read_upload,
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = read_find,
	.poll = poll,
	.read_poll = read_poll,
	.cancel = cancel,
	.read_cancel = read_cancel,
	.fetch = fetch,
	.read_fetch = read_fetch,
	.read_line = bi_openai_line_read,
	.discard = discard,
	.read_discard = read_discard,
	.check = check,
	.read_check = read_check,
};
