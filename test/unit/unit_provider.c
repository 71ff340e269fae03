/*
 * test/unit/unit_provider.c: a provider's routines, callable from SQL, offline.
 */
#include "postgres.h"

#include "fmgr.h"
#include "base/spool.h"
#include "provider/openai/openai_schema.h"
#include "provider/registry.h"
#include "unit.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(unit_limits);
PG_FUNCTION_INFO_V1(unit_refuse);
PG_FUNCTION_INFO_V1(unit_embedding_size);
PG_FUNCTION_INFO_V1(unit_frame);
PG_FUNCTION_INFO_V1(unit_request);
PG_FUNCTION_INFO_V1(unit_reply);
PG_FUNCTION_INFO_V1(unit_line);
PG_FUNCTION_INFO_V1(unit_fingerprint);
PG_FUNCTION_INFO_V1(unit_openai_strict);

/* Name, base URL and limits of every provider, for a server with those options. */
Datum
unit_limits(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; bi_registry_name(i); i++)
	{
		const BiProvider *provider = unit_call_provider(bi_registry_name(i));
		BiLimits	limits = bi_registry_limits(provider, call->server, call->server->model);

		if (out.len > 0)
			appendStringInfoChar(&out, '\n');
		appendStringInfo(&out, "%s %s requests " INT64_FORMAT "-" INT64_FORMAT
						 " bytes " INT64_FORMAT " batches " INT64_FORMAT " tokens " INT64_FORMAT
						 " poll " INT64_FORMAT " expires " INT64_FORMAT,
						 provider->name, bi_registry_base_url(provider, call->server),
						 limits.min_requests, limits.max_requests, limits.max_bytes,
						 limits.max_batches, limits.max_enqueued_tokens, limits.poll_interval,
						 limits.expires_after);
	}
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* Returns why the job cannot be done, else why the input cannot be sent, else NULL. */
Datum
unit_refuse(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	const BiProvider *provider = unit_call_provider(call->server->provider);
	char	   *why = provider->job->refuse_job(&call->job->spec, call->server);

	if (why == NULL && !PG_ARGISNULL(1))
		why = provider->job->refuse_input(&call->job->spec, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (why == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why));
}

/* Returns how many numbers each embedding of the job has; NULL if the provider never knows. */
Datum
unit_embedding_size(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	const BiProvider *provider = unit_call_provider(call->server->provider);

	if (provider->job->embedding_size == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT32(provider->job->embedding_size(&call->job->spec));
}

/* Returns the request line of an input, which must be JSON and have the size computed before. */
Datum
unit_frame(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	char	   *input = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *id = "01234567-42";
	BiFrame		frame = {0};
	StringInfoData out;
	int64		size;
	int			ends;

	unit_call_provider(call->server->provider)->job->frame(&call->job->spec, call->server, &frame);
	initStringInfo(&out);
	bi_frame_append(&out, &frame, id, input);
	size = bi_frame_size(&frame, (int) strlen(id), input);
	ends = frame.separator ? (int) strlen(frame.separator) : 1;
	if (frame.separator)
		appendStringInfoString(&out, frame.separator);
	if (size != out.len || frame.nparts > BI_FRAME_PARTS)
		ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("size " INT64_FORMAT " foretold, %d written", size, out.len));
	if (bi_json_parse(out.data, out.len - ends) == NULL || strchr(out.data, '\n') != out.data +
		out.len - 1)
		ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("no line of JSON: %s", out.data));
	out.data[out.len - ends] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

static const char *
secret_of(const BiJson *json, const char *otherwise)
{
	char	   *secret = bi_json_cstring(bi_json_at(json, "secret", NULL));

	return secret ? secret : otherwise;
}

/* Fills the exchange by that routine; false where it says that there are no more. */
static bool
write_request(const BiProvider *provider, const char *routine, const BiJson *json,
			  const BiCall *call, BiExchange *ex)
{
	int			part = (int) bi_json_int(bi_json_at(json, "part", NULL), 0);

	ex->allow_http = bi_json_bool(bi_json_at(json, "allow_http", NULL), false);
	/* The engine sets it for the call with which the input travels. */
	if (strcmp(routine, provider->batch->upload ? "upload" : "create") == 0)
		ex->upload = bi_spool_new(CurrentMemoryContext);
	if (strcmp(routine, "upload") == 0)
		provider->batch->upload(call, ex);
	else if (strcmp(routine, "create") == 0)
		provider->batch->create(call, ex);
	else if (strcmp(routine, "find") == 0)
		provider->batch->find(call, bi_json_cstring(bi_json_at(json, "cursor", NULL)), ex);
	else if (strcmp(routine, "login") == 0)
		return provider->login->request_token != NULL &&
			provider->login->request_token(call, secret_of(json, "s&=cr t/+~"), ex);
	else if (strcmp(routine, "peek") == 0)
		provider->batch->peek(call, call->chunk->batch->id, ex);
	else if (strcmp(routine, "poll") == 0)
		provider->batch->poll(call, ex);
	else if (strcmp(routine, "cancel") == 0)
		provider->batch->cancel(call, ex);
	else if (strcmp(routine, "check") == 0)
		provider->check->request(call, ex);
	else if (strcmp(routine, "outputs") == 0)
		provider->batch->outputs(call, ex);
	else if (strcmp(routine, "fetch") == 0)
		return provider->batch->fetch(call, part, ex);
	else if (strcmp(routine, "discard") == 0)
		return provider->batch->discard(call, part, ex);
	else
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("no routine \"%s\"", routine));
	return true;
}

/* Returns the request as it would travel; <input> stands for the upload. */
Datum
unit_request(PG_FUNCTION_ARGS)
{
	char	   *routine = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BiJson	   *json = unit_parse(PG_GETARG_BYTEA_PP(1));
	BiCall	   *call = unit_call_read(json);
	const BiProvider *provider = unit_call_provider(call->server->provider);
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);
	StringInfoData out;
	ListCell   *lc;

	if (!write_request(provider, routine, json, call, ex))
		PG_RETURN_NULL();
	if (strcmp(routine, "login") != 0)
		provider->login->authorize(call, secret_of(json, "sk-test"), ex);
	initStringInfo(&out);
	appendStringInfo(&out, "%s %s\n", ex->method, ex->url);
	foreach(lc, ex->headers)
		appendStringInfo(&out, "%s: %s\n", ((BiHeader *) lfirst(lc))->name,
						 ((BiHeader *) lfirst(lc))->value);
	if (ex->allow_http || ex->metadata)
		appendStringInfo(&out, "(may ask %s)\n", ex->metadata ? "the metadata service"
						 : "inner addresses");
	if (ex->cut_after > 0)
		appendStringInfo(&out, "(cut after " INT64_FORMAT " bytes)\n", ex->cut_after);
	if (ex->has_body)
		appendStringInfo(&out, "\n%s%s%s", ex->head.data,
						 ex->upload ? "<input>" : "", ex->tail.data);
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* {"status":200,"headers":"…","transport":"unsent","cause":3,"detail":"…"} */
static void
read_reply(const BiJson *json, const bytea *body, BiExchange *ex)
{
	char	   *transport = bi_json_cstring(bi_json_at(json, "transport", NULL));
	char	   *headers = bi_json_cstring(bi_json_at(json, "headers", NULL));

	ex->transport = BI_TRANSPORT_REPLIED;
	if (transport)
		ex->transport = strcmp(transport, "unsent") == 0 ? BI_TRANSPORT_UNSENT
			: BI_TRANSPORT_BROKEN;
	ex->cause = (BiCause) bi_json_int(bi_json_at(json, "cause", NULL), BI_CAUSE_NONE);
	ex->detail = bi_json_cstring(bi_json_at(json, "detail", NULL));
	ex->status = (int) bi_json_int(bi_json_at(json, "status", NULL), 200);
	unit_add_headers(ex, headers ? headers : "");
	appendBinaryStringInfo(&ex->body, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body));
}

static void
add_batch(StringInfo out, const BiBatchReport *batch)
{
	static const char *const states[] = {
		"waiting", "running", "completed", "failed", "expired", "cancelled"
	};
	ListCell   *lc;

	unit_call_add_text(out, "state", states[batch->state]);
	unit_call_add_text(out, "id", batch->id);
	unit_call_add_refs(out, "refs", batch->refs);
	unit_call_add_int(out, "deferred", batch->deferred);
	unit_call_add_int(out, "completed", batch->completed);
	unit_call_add_int(out, "failed", batch->failed);
	foreach(lc, batch->faults)
	{
		const BiFault *fault = lfirst(lc);

		unit_call_add_text(out, "fault",
						   psprintf("%s " INT64_FORMAT " %s", fault->code, fault->line,
									fault->message));
	}
}

static void
add_found(StringInfo out, const BiFound *found)
{
	ListCell   *lc;

	unit_call_add_text(out, "batch_id", found->batch_id);
	unit_call_add_text(out, "cursor", found->cursor);
	unit_call_add_int(out, "complete", found->complete);
	if (found->pending)
		unit_call_add_int(out, "pending", 1);
	foreach(lc, found->twins)
		unit_call_add_text(out, "twin", lfirst(lc));
	foreach(lc, found->candidates)
		unit_call_add_text(out, "candidate", lfirst(lc));
}

/* Returns the verdict of the routine on the reply, and adds what it read to out. */
static BiVerdict
take_reply(const BiProvider *provider, const char *routine, const BiCall *call, const char *secret,
		   const BiExchange *ex, StringInfo out)
{
	BiVerdict	verdict = {BI_VERDICT_UNCLEAR, "no_routine", "no such routine"};
	BiBatchReport batch;
	BiFound		found;
	List	   *refs;
	char	   *token;
	int			lifetime;
	bool		ours;
	bool		create = strcmp(routine, "create") == 0;

	if (create || strcmp(routine, "poll") == 0)
	{
		verdict = create ? provider->batch->read_create(call, ex, &batch)
			: provider->batch->read_poll(call, ex, &batch);
		if (verdict.kind == BI_VERDICT_OK)
			add_batch(out, &batch);
	}
	else if (strcmp(routine, "find") == 0)
	{
		verdict = provider->batch->read_find(call, ex, &found);
		if (verdict.kind == BI_VERDICT_OK)
			add_found(out, &found);
	}
	else if (strcmp(routine, "upload") == 0)
	{
		refs = call->chunk->batch->refs;
		verdict = provider->batch->read_upload(call, ex, &refs);
		if (verdict.kind == BI_VERDICT_OK)
			unit_call_add_refs(out, "refs", refs);
	}
	else if (strcmp(routine, "outputs") == 0)
	{
		refs = call->chunk->batch->refs;
		verdict = provider->batch->read_outputs(call, ex, &refs);
		if (verdict.kind == BI_VERDICT_OK)
			unit_call_add_refs(out, "refs", refs);
	}
	else if (strcmp(routine, "login") == 0)
	{
		verdict = provider->login->read_token(call, secret, ex, &token, &lifetime);
		unit_call_add_text(out, "token", token);
		unit_call_add_int(out, "lifetime", lifetime);
	}
	else if (strcmp(routine, "peek") == 0)
	{
		verdict = provider->batch->read_peek(call, ex, &ours);
		if (verdict.kind == BI_VERDICT_OK)
			unit_call_add_int(out, "ours", ours);
	}
	else if (strcmp(routine, "cancel") == 0)
		verdict = provider->batch->read_cancel(call, ex);
	else if (strcmp(routine, "fetch") == 0)
		verdict = provider->batch->read_fetch(call, ex);
	else if (strcmp(routine, "discard") == 0)
		verdict = provider->batch->read_discard(call, ex);
	else if (strcmp(routine, "check") == 0)
		verdict = provider->check->read(call, ex);
	return verdict;
}

/* Adds whom the verdict concerns, if the test asks for it with "scope":true. */
static void
add_scope(StringInfo out, const BiJson *json, const BiVerdict *verdict)
{
	static const char *const scopes[] = {"request", "key", "server"};

	if (!bi_json_bool(bi_json_at(json, "scope", NULL), false))
		return;
	unit_call_add_text(out, "scope", scopes[verdict->scope]);
	unit_call_add_int(out, "bad_key", verdict->bad_key);
}

/* Returns the verdict and what the routine has read, as JSON. */
Datum
unit_reply(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {
		"ok", "defer", "not_yet", "denied", "absent", "refused", "unclear"
	};
	char	   *routine = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BiJson	   *json = unit_parse(PG_GETARG_BYTEA_PP(1));
	BiCall	   *call = unit_call_read(json);
	const BiProvider *provider = unit_call_provider(call->server->provider);
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);
	StringInfoData read;
	StringInfoData out;
	BiVerdict	verdict;

	write_request(provider, routine, json, call, ex);
	read_reply(json, PG_GETARG_BYTEA_PP(2), ex);
	initStringInfo(&read);
	verdict = take_reply(provider, routine, call, secret_of(json, "s&=cr t/+~"), ex, &read);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	unit_call_add_text(&out, "verdict", kinds[verdict.kind]);
	unit_call_add_text(&out, "code", verdict.code);
	unit_call_add_text(&out, "message", verdict.message);
	unit_call_add_text(&out, "next", verdict.next);
	add_scope(&out, json, &verdict);
	if (verdict.wait_ms > 0)
		unit_call_add_int(&out, "wait_ms", verdict.wait_ms);
	appendStringInfo(&out, "%s%s}", read.len > 0 ? "," : "", read.data);
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* Returns one line of a results file, as JSON; a long output is shown as its size. */
Datum
unit_line(PG_FUNCTION_ARGS)
{
	static const char *const states[] = {NULL, "repaired", "unreadable"};
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	bytea	   *line = PG_GETARG_BYTEA_PP(1);
	BiResultLine read;
	const BiAnswer *answer = &read.answer;
	StringInfoData out;

	unit_call_provider(call->server->provider)->batch->read_line(call, VARDATA_ANY(line),
																 VARSIZE_ANY_EXHDR(line), &read);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	unit_call_add_text(&out, "custom_id", read.custom_id);
	unit_call_add_text(&out, "line", states[read.state]);
	unit_call_add_text(&out, "fingerprint", read.fingerprint);
	unit_call_add_text(&out, "channel", read.channel);
	unit_call_add_text(&out, "outcome", bi_outcome_name(answer->outcome));
	unit_call_add_int(&out, "retryable", answer->retryable);
	unit_call_add_text(&out, "finish_reason", answer->finish_reason);
	unit_call_add_text(&out, "model", answer->model);
	unit_call_add_text(&out, "tokens",
					   psprintf(INT64_FORMAT "/" INT64_FORMAT "/" INT64_FORMAT,
								answer->input_tokens,
												answer->cached_tokens, answer->output_tokens));
	if (answer->cache_write_tokens > 0 || answer->cache_write_1h_tokens > 0)
		unit_call_add_text(&out, "cache_writes",
						   psprintf(INT64_FORMAT "/" INT64_FORMAT, answer->cache_write_tokens,
									answer->cache_write_1h_tokens));
	unit_call_add_text(&out, "code", answer->error_code);
	unit_call_add_text(&out, "error", answer->error);
	unit_call_add_text(&out, "request_id", answer->request_id);
	unit_call_add_text(&out, "reasoning", answer->reasoning);
	if (answer->output)
	{
		appendStringInfo(&out, ",\"%s\":", answer->output_is_json ? "json" : "text");
		if (answer->output_len > 10000)
			appendStringInfo(&out, "%zu", answer->output_len);
		else
			bi_json_append_bytes(&out, answer->output, answer->output_len);
	}
	appendStringInfoChar(&out, '}');
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* Returns what an echo keeps of a request line; NULL if there is nothing. */
Datum
unit_fingerprint(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	bytea	   *line = PG_GETARG_BYTEA_PP(1);
	const BiProvider *provider = unit_call_provider(call->server->provider);
	char	   *text =
		provider->batch->fingerprint(call, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));

	if (text == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

Datum
unit_openai_strict(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(bi_openai_schema_is_strict(unit_parse(PG_GETARG_BYTEA_PP(0))));
}
