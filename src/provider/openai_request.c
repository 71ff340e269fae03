/*
 * provider/openai_request.c: the requests of OpenAI's batch API and of its relatives'.
 *
 * Knows paths, forms and bodies; where a relative differs its dialect tells.  What
 * replies mean stands in openai.c and behind it.  No I/O, no clock.  Called by the
 * routines of openai.c and azure.c.
 */
#include "postgres.h"

#include "provider/openai.h"
#include "provider/wire.h"

/* A cursor of this form is a word of the server's, any other the id of a page's last batch. */
#define WORD "cursor="

/* Begins a request: method, URL and the headers that hold no secret. */
static void
begin_for(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex, const char *method,
		  const char *path, const char *query, const char *accept)
{
	bi_exchange_request(ex, method, dialect->url(call->server, path, query));
	bi_exchange_add_header(ex, "Accept", accept);
	if (dialect->has_organizations && call->server->organization)
		bi_exchange_add_header(ex, "OpenAI-Organization", call->server->organization);
	if (dialect->has_organizations && call->server->project)
		bi_exchange_add_header(ex, "OpenAI-Project", call->server->project);
}

static void
begin(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	begin_for(dialect, call, ex, method, path, NULL, "application/json");
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

void
bi_openai_request_bearer(const char *secret, BiExchange *ex)
{
	char	   *value = psprintf("Bearer %s", secret);

	bi_exchange_add_header(ex, "Authorization", value);
	explicit_bzero(value, strlen(value));
	pfree(value);
}

/* Files. */

/* Seconds; 0: no expiry is asked for. */
static int64
file_life(const BiOpenaiDialect *dialect, const BiServer *server)
{
	if (server->expires_after < 0)
		return dialect->file_life;
	return server->expires_after == 0 ? 0 : Max(server->expires_after, dialect->file_life_min);
}

static void
append_field(StringInfo form, const char *boundary, const char *name, const char *value)
{
	appendStringInfo(form, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, name, value);
}

void
bi_openai_request_upload(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex)
{
	int64		life = file_life(dialect, call->server);
	char	   *boundary = psprintf("batchinf-%s", call->chunk->intent);

	begin(dialect, call, ex, "POST", "/files");
	bi_exchange_add_header(ex, "Content-Type", psprintf("multipart/form-data; boundary=%s", boundary));
	ex->has_body = true;
	append_field(&ex->head, boundary, "purpose", "batch");
	if (life > 0)
	{
		append_field(&ex->head, boundary, dialect->expires_anchor, "created_at");
		append_field(&ex->head, boundary, dialect->expires_seconds, psprintf(INT64_FORMAT, life));
	}
	appendStringInfo(&ex->head, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"batchinf-%s-%d.jsonl\"\r\n"
					 "Content-Type: %s\r\n\r\n",
					 boundary, call->chunk->intent, call->chunk->attempt, dialect->file_type);
	appendStringInfo(&ex->tail, "\r\n--%s--\r\n", boundary);
}

/* The file's name in the n-th place, NULL where there is none. */
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

bool
bi_openai_request_fetch(const BiOpenaiDialect *dialect, const BiCall *call, int part, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, part, lengthof(names));

	if (id)
		begin_for(dialect, call, ex, "GET", path_of("/files/", id, "/content"), NULL, "application/binary");
	return id != NULL;
}

bool
bi_openai_request_discard(const BiOpenaiDialect *dialect, const BiCall *call, int i, BiExchange *ex)
{
	static const char *const names[] = {BI_OPENAI_INPUT, BI_OPENAI_OUTPUT, BI_OPENAI_ERROR};
	const char *id = nth_file(call, names, i, lengthof(names));

	if (id)
		begin(dialect, call, ex, "DELETE", path_of("/files/", id, ""));
	return id != NULL;
}

/* Batches. */

static void
append_pair(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, "\"%s\":", key);
	bi_json_append_string(json, value);
}

/* By what the batch is found again; a server that refuses it is searched by the input file. */
static void
append_metadata(StringInfo json, const BiCall *call)
{
	if (call->server->metadata && strcmp(call->server->metadata, "off") == 0)
		return;
	appendStringInfoString(json, ",\"metadata\":{");
	append_pair(json, BI_OPENAI_INTENT, call->chunk->intent);
	appendStringInfoChar(json, ',');
	append_pair(json, BI_OPENAI_TRY, psprintf("%d", call->chunk->tries));
	appendStringInfoChar(json, '}');
}

void
bi_openai_request_create(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex)
{
	const BiServer *server = call->server;
	const char *input = bi_ref_get(call->chunk->refs, BI_OPENAI_INPUT);
	int64		life = dialect->outputs_expire(server) ? file_life(dialect, server) : 0;

	begin(dialect, call, ex, "POST", "/batches");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	appendStringInfoChar(&ex->head, '{');
	append_pair(&ex->head, "input_file_id", input ? input : "");
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "endpoint", dialect->endpoint(server, &call->job->spec));
	appendStringInfoChar(&ex->head, ',');
	append_pair(&ex->head, "completion_window", server->completion_window ? server->completion_window : "24h");
	append_metadata(&ex->head, call);
	if (life > 0)
		appendStringInfo(&ex->head, ",\"output_expires_after\":{\"anchor\":\"created_at\",\"seconds\":" INT64_FORMAT "}", life);
	appendStringInfoChar(&ex->head, '}');
}

/* The query of a page; NULL is the first. */
static char *
page_query(const char *cursor)
{
	if (cursor == NULL)
		return pstrdup("limit=100");
	if (strncmp(cursor, WORD, strlen(WORD)) == 0)
		return path_of("limit=100&cursor=", cursor + strlen(WORD), "");
	return path_of("limit=100&after=", cursor, "");
}

void
bi_openai_request_find(const BiOpenaiDialect *dialect, const BiCall *call, const char *cursor, BiExchange *ex)
{
	begin_for(dialect, call, ex, "GET", "/batches", page_query(cursor), "application/json");
}

char *
bi_openai_request_word_cursor(const char *word)
{
	return psprintf(WORD "%s", word);
}

bool
bi_openai_request_has_cursor(const BiExchange *ex, const char *cursor)
{
	const char *query = ex->url ? strstr(ex->url, "limit=100&") : NULL;

	return query && strcmp(query, page_query(cursor)) == 0;
}

void
bi_openai_request_poll(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex)
{
	begin(dialect, call, ex, "GET", path_of("/batches/", call->chunk->batch_id, ""));
}

void
bi_openai_request_cancel(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex)
{
	begin(dialect, call, ex, "POST", path_of("/batches/", call->chunk->batch_id, "/cancel"));
	ex->has_body = true;		/* an empty one */
}

void
bi_openai_request_check(const BiOpenaiDialect *dialect, const BiCall *call, BiExchange *ex)
{
	const char *model = call->job ? call->job->spec.model : call->server->model;

	begin(dialect, call, ex, "GET", model && dialect->has_models ? path_of("/models/", model, "") : "/models");
}
