/*
 * test/unit/unit_call.c: from JSON to what a provider's routines take, and back.
 */
#include "postgres.h"

#include "provider/registry.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

const BiProvider *
unit_call_provider(const char *name)
{
	const BiProvider *provider = bi_registry_find(name);

	if (provider == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("no provider \"%s\"", name));
	return provider;
}

static char *
text_of(const BiJson *json, const char *key, char *otherwise)
{
	char	   *text = bi_json_cstring(bi_json_at(json, key, NULL));

	return text ? text : otherwise;
}

static BiInput
input_of(const char *name)
{
	if (strcmp(name, "messages") == 0)
		return BI_INPUT_MESSAGES;
	return strcmp(name, "body") == 0 ? BI_INPUT_BODY : BI_INPUT_TEXT;
}

static BiJob *
read_job(const BiJson *spec)
{
	BiJob	   *job = palloc0(sizeof(BiJob));

	job->spec.model = text_of(spec, "model", "gpt-5.4-mini");
	job->spec.task = strcmp(text_of(spec, "task", "chat"), "embedding") == 0 ? BI_TASK_EMBEDDING
		: BI_TASK_CHAT;
	job->spec.input = input_of(text_of(spec, "input", "text"));
	job->spec.endpoint = text_of(spec, "endpoint", NULL);
	job->spec.system_prompt = text_of(spec, "system_prompt", NULL);
	job->spec.params = bi_json_text(bi_json_at(spec, "params", NULL));
	job->spec.response_schema = bi_json_text(bi_json_at(spec, "response_schema", NULL));
	return job;
}

static BiServer *
read_server(const BiJson *json)
{
	BiServer   *server = palloc0(sizeof(BiServer));

	server->provider = text_of(json, "provider", "openai");
	server->base_url = text_of(json, "base_url", NULL);
	server->api_version = text_of(json, "api_version", NULL);
	server->auth = text_of(json, "auth", NULL);
	server->prompt_cache = text_of(json, "prompt_cache", NULL);
	server->endpoint = text_of(json, "endpoint", NULL);
	server->metadata = text_of(json, "metadata", NULL);
	server->authority_url = text_of(json, "authority_url", NULL);
	server->token_scope = text_of(json, "token_scope", NULL);
	server->region = text_of(json, "region", NULL);
	server->location = text_of(json, "location", NULL);
	server->role_arn = text_of(json, "role_arn", NULL);
	server->storage_url = text_of(json, "storage_url", NULL);
	server->storage_base_url = text_of(json, "storage_base_url", NULL);
	server->storage_style = text_of(json, "storage_style", NULL);
	server->storage_kms_key = text_of(json, "storage_kms_key", NULL);
	server->storage_owner = text_of(json, "storage_owner", NULL);
	server->storage_create = text_of(json, "storage_create", NULL);
	server->request_labels = text_of(json, "request_labels", NULL);
	server->reasoning_tags = text_of(json, "reasoning_tags", NULL);
	server->may_use_host = bi_json_bool(bi_json_at(json, "may_use_host", NULL), false);
	server->key.tenant_id = text_of(json, "tenant_id", NULL);
	server->key.client_id = text_of(json, "client_id", NULL);
	server->model = text_of(json, "model", NULL);
	server->organization = text_of(json, "organization", NULL);
	server->project = text_of(json, "project", NULL);
	server->completion_window = text_of(json, "completion_window", NULL);
	server->max_requests = bi_json_int(bi_json_at(json, "max_requests", NULL), -1);
	server->min_requests = bi_json_int(bi_json_at(json, "min_requests", NULL), -1);
	server->max_bytes = bi_json_int(bi_json_at(json, "max_bytes", NULL), -1);
	server->max_batches = bi_json_int(bi_json_at(json, "max_batches", NULL), -1);
	server->max_enqueued_requests =
		bi_json_int(bi_json_at(json, "max_enqueued_requests", NULL), -1);
	server->max_files = bi_json_int(bi_json_at(json, "max_files", NULL), -1);
	server->max_enqueued_tokens = bi_json_int(bi_json_at(json, "max_enqueued_tokens", NULL), -1);
	server->poll_interval = bi_json_int(bi_json_at(json, "poll_interval", NULL), -1);
	server->expires_after = bi_json_int(bi_json_at(json, "expires_after", NULL), -1);
	server->settle_time = bi_json_int(bi_json_at(json, "settle_time", NULL), -1);
	return server;
}

/* Returns the time, or DT_NOEND if json has none: no create call yet. */
static TimestampTz
time_of(const BiJson *json)
{
	char	   *text = bi_json_cstring(json);

	return text == NULL ? DT_NOEND :
		DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static BiChunk *
read_chunk(const BiJson *json)
{
	BiChunk    *chunk = palloc0(sizeof(BiChunk));
	char	   *buried = text_of(json, "buried", NULL);
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	strlcpy(chunk->intent, text_of(json, "intent", "0123456789abcdef0123456789abcdef"),
			sizeof(chunk->intent));
	chunk->batch = bi_batch_new();
	chunk->attempt = (int) bi_json_int(bi_json_at(json, "attempt", NULL), 1);
	chunk->batch->try = (int) bi_json_int(bi_json_at(json, "tries", NULL), 1);
	chunk->records = bi_json_int(bi_json_at(json, "records", NULL), 1);
	chunk->state = bi_json_bool(bi_json_at(json, "cleaning", NULL), false) ? BI_CHUNK_CLEANING
		: BI_CHUNK_FETCHING;
	chunk->batch->end = bi_batch_end_parse(text_of(json, "batch_end", NULL));
	chunk->batch->claimed_at = time_of(bi_json_at(json, "claimed_at", NULL));
	if (bi_json_type(bi_json_get(json, "batch_id")) != BI_JSON_NULL)
		chunk->batch->id = text_of(json, "batch_id", "batch_1");
	for (size_t len; buried && (len = strcspn(buried, " ")) > 0; buried += len +
		 strspn(buried + len, " "))
		chunk->batch->buried = lappend(chunk->batch->buried, pnstrdup(buried, len));
	while (bi_json_next(bi_json_at(json, "refs", NULL), &place, &key, &value))
	{
		BiRef	   *ref = palloc(sizeof(BiRef));

		ref->name = pstrdup(key);
		ref->value = bi_json_cstring(value);
		chunk->batch->refs = lappend(chunk->batch->refs, ref);
	}
	return chunk;
}

BiCall *
unit_call_read(const BiJson *json)
{
	BiCall	   *call = palloc0(sizeof(BiCall));

	call->job = read_job(bi_json_at(json, "spec", NULL));
	call->server = read_server(bi_json_at(json, "server", NULL));
	call->provider = unit_call_provider(call->server->provider);
	call->chunk = read_chunk(bi_json_at(json, "chunk", NULL));
	call->cursor = text_of(json, "cursor", NULL);
	/* 2026-11-20 10:00:00 UTC */
	call->now = bi_json_int(bi_json_at(json, "now", NULL), 1795168800);
	return call;
}

static void
add_key(StringInfo out, const char *key)
{
	if (out->len > 0 && out->data[out->len - 1] != '{' && out->data[out->len - 1] != '[')
		appendStringInfoChar(out, ',');
	bi_json_append_string(out, key);
	appendStringInfoChar(out, ':');
}

void
unit_call_add_text(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	add_key(out, key);
	bi_json_append_string(out, value);
}

void
unit_call_add_int(StringInfo out, const char *key, int64 value)
{
	add_key(out, key);
	appendStringInfo(out, INT64_FORMAT, value);
}

void
unit_call_add_refs(StringInfo out, const char *key, const List *refs)
{
	ListCell   *lc;

	add_key(out, key);
	appendStringInfoChar(out, '{');
	foreach(lc, refs)
		unit_call_add_text(out, ((const BiRef *) lfirst(lc))->name,
						   ((const BiRef *) lfirst(lc))->value);
	appendStringInfoChar(out, '}');
}
