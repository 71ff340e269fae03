/*
 * provider/openai/openai_request.c: the requests of OpenAI's API and of its relatives'.
 *
 * Knows paths, forms and bodies of batches; the dialect says where a relative differs.  What
 * replies mean is in openai.c and behind it.
 *
 * Decided here:
 * - The metadata carries the chunk's intent and try, by which a batch is found again.  Some
 *   compatible servers refuse metadata: with metadata 'off' none is sent, and the batch is found
 *   by its input file, which no other chunk has.
 * - Uploads expire after the dialect's file_life unless the server sets expires_after; 0 sends
 *   none.
 * - output_expires_after is sent only as the dialect allows: servers like OpenAI's refuse it.
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/openai/openai_batch.h"
#include "provider/openai/openai_endpoint.h"
#include "provider/openai/openai_request.h"
#include "provider/wire.h"
#include "provider/words.h"

static const BiOpenaiDialect *
dialect_of(const BiCall *call)
{
	return call->provider->dialect;
}

/* Begins a request: method, URL and the headers that hold no secret. */
static void
begin_for(const BiCall *call, BiExchange *ex, const char *method,
		  const char *path, const char *query, const char *accept)
{
	const BiOpenaiDialect *dialect = dialect_of(call);

	bi_exchange_request(ex, method, dialect->url(call->server, path, query));
	bi_exchange_add_header(ex, "Accept", accept);
	if (dialect->has_organizations && call->server->organization)
		bi_exchange_add_header(ex, "OpenAI-Organization", call->server->organization);
	if (dialect->has_organizations && call->server->project)
		bi_exchange_add_header(ex, "OpenAI-Project", call->server->project);
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	begin_for(call, ex, method, path, NULL, "application/json");
}

/* Files */

/* Returns the seconds that an upload may live; 0 if it gets no end. */
static int64
file_life(const BiCall *call)
{
	int64		asked = call->server->expires_after;

	if (asked < 0)
		return dialect_of(call)->file_life;
	return asked == 0 ? 0 : Max(asked, dialect_of(call)->file_life_min);
}

static void
append_field(StringInfo form, const char *boundary, const char *name, const char *value)
{
	appendStringInfo(form, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n",
					 boundary, name, value);
}

void
bi_openai_request_upload(const BiCall *call, BiExchange *ex)
{
	const BiOpenaiDialect *dialect = dialect_of(call);
	int64		life = file_life(call);
	char	   *boundary = psprintf("batchinf-%s", call->chunk->intent);

	begin(call, ex, "POST", "/files");
	bi_exchange_add_header(ex, "Content-Type",
						   psprintf("multipart/form-data; boundary=%s", boundary));
	ex->has_body = true;
	append_field(&ex->head, boundary, "purpose", "batch");
	if (life > 0)
	{
		append_field(&ex->head, boundary, dialect->expires_anchor, "created_at");
		append_field(&ex->head, boundary, dialect->expires_seconds, psprintf(INT64_FORMAT, life));
	}
	appendStringInfo(&ex->head,
					 "--%s\r\nContent-Disposition: form-data; name=\"file\";"
					 " filename=\"batchinf-%s-%d.jsonl\"\r\n"
					 "Content-Type: %s\r\n\r\n",
					 boundary, call->chunk->intent, call->chunk->attempt, dialect->file_type);
	appendStringInfo(&ex->tail, "\r\n--%s--\r\n", boundary);
}

/* Returns the n-th of those references that the chunk has; NULL if it has fewer. */
static const char *
nth_file(const BiCall *call, const char *const *names, int n, int count)
{
	for (int i = 0; i < count; i++)
	{
		const char *id = bi_ref_get(call->chunk->batch->refs, names[i]);

		if (id && *id && n-- == 0)
			return id;
	}
	return NULL;
}

bool
bi_openai_request_fetch(const BiCall *call, int part, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, part, lengthof(names));

	if (id)
		begin_for(call, ex, "GET", bi_wire_path("/files/", id, "/content"), NULL,
				  "application/binary");
	return id != NULL;
}

bool
bi_openai_request_discard(const BiCall *call, int i, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_INPUT, BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, i, lengthof(names));

	if (id)
		begin(call, ex, "DELETE", bi_wire_path("/files/", id, ""));
	return id != NULL;
}

/* Batches */

static void
append_pair(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, "\"%s\":", key);
	bi_json_append_string(json, value);
}

static void
append_metadata(StringInfo json, const BiCall *call)
{
	if (call->server->metadata && strcmp(call->server->metadata, "off") == 0)
		return;
	appendStringInfoString(json, ",\"metadata\":{");
	append_pair(json, BI_OPENAI_INTENT, call->chunk->intent);
	appendStringInfoChar(json, ',');
	append_pair(json, BI_OPENAI_TRY, psprintf("%d", call->chunk->batch->try));
	appendStringInfoChar(json, '}');
}

void
bi_openai_request_create(const BiCall *call, BiExchange *ex)
{
	const BiOpenaiDialect *dialect = dialect_of(call);
	const BiServer *server = call->server;
	const char *input = bi_ref_get(call->chunk->batch->refs, BI_OPENAI_INPUT);
	int64		life = dialect->outputs_expire(server) ? file_life(call) : 0;

	begin(call, ex, "POST", "/batches");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	appendStringInfoChar(&ex->head, '{');
	append_pair(&ex->head, "input_file_id", input ? input : "");
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "endpoint", dialect->endpoint(server, &call->job->spec));
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "completion_window",
				server->completion_window ? server->completion_window : "24h");
	append_metadata(&ex->head, call);
	if (life > 0)
		appendStringInfo(&ex->head, ",\"output_expires_after\":{\"anchor\":\"created_at\","
						 "\"seconds\":" INT64_FORMAT "}", life);
	appendStringInfoChar(&ex->head, '}');
}

/* Returns the query of the page at cursor; NULL is the first. */
static char *
page_query(const char *cursor)
{
	if (cursor == NULL)
		return pstrdup("limit=100");
	if (bi_words_begin(cursor, BI_OPENAI_WORD))
		return bi_wire_path("limit=100&cursor=", cursor + strlen(BI_OPENAI_WORD), "");
	return bi_wire_path("limit=100&after=", cursor, "");
}

void
bi_openai_request_find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	begin_for(call, ex, "GET", "/batches", page_query(cursor), "application/json");
}

bool
bi_openai_request_has_word(const BiExchange *ex, const char *cursor)
{
	return bi_words_begin(cursor, BI_OPENAI_WORD) &&
		bi_wire_has_parameter(ex->url, "cursor", cursor + strlen(BI_OPENAI_WORD));
}

void
bi_openai_request_poll(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "GET", bi_wire_path("/batches/", call->chunk->batch->id, ""));
}

void
bi_openai_request_cancel(const BiCall *call, BiExchange *ex)
{
	begin(call, ex, "POST", bi_wire_path("/batches/", call->chunk->batch->id, "/cancel"));
	ex->has_body = true;		/* an empty one */
}

/* One record */

void
bi_openai_request_realtime(const BiCall *call, BiExchange *ex)
{
	const BiOpenaiDialect *dialect = dialect_of(call);
	const BiSpec *spec = &call->job->spec;

	begin(call, ex, "POST",
		  dialect->realtime_path ? dialect->realtime_path(call->server, spec)
		  : bi_openai_endpoint_path(spec) + strlen("/v1"));
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	if (spec->input == BI_INPUT_BODY)	/* it may have been written for the model of batches */
		bi_body_set_model(&ex->head, spec->model);
}

void
bi_openai_request_check(const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	if (model && dialect_of(call)->has_models)
		begin(call, ex, "GET", bi_wire_path("/models/", model, ""));
	else
		begin(call, ex, "GET", "/models");
}
