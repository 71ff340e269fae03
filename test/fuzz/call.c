/*
 * test/fuzz/call.c: calls to a provider as they happen: a job, its server and a chunk, and
 * exchanges with their replies.
 *
 * A member that a new provider needs is set here for all of them, as the server's option or
 * submit's argument would.  The ids and times are those that test/fixtures/ speaks of.
 */
#include "postgres.h"

#include "base/spool.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "provider/registry.h"
#include "provider/wire.h"
#include "utils/timestamp.h"

/* 2026-11-20 12:00:00 UTC */
#define NOW INT64CONST(1795176000)
#define CLAIMED_AT \
	((NOW - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY) * USECS_PER_SEC)

#define INTENT "0123456789abcdef0123456789abcdef"
#define USER \
	"{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"s\"," \
	"\"refresh_token\":\"t\"}"

const BiProvider *
fuzz_provider(const char *word)
{
	const char *names[32] = {NULL};

	for (int i = 0; i < lengthof(names) - 1 && bi_registry_name(i); i++)
		names[i] = bi_registry_name(i);
	return bi_registry_find(names[fuzz_choose(word, names)]);
}

/* Each one's own way to name things. */
static const struct Names
{
	const char *provider;
	const char *model;
	const char *embedding;
	const char *batch_id;
	const char *input;
	const char *output;
	const char *buried[2];
	const char *object;
}			names[] = {
	{NULL, "gpt-5.4-mini", "text-embedding-3-small", "batch_1", "file-in", "file-out",
	{"batch_dead", "batch_dead2"}, "none"},
	{"anthropic", "claude-haiku-5-5", "none", "msgbatch_1", "in", "out",
	{"b_other", "b_dead"}, "none"},
	{"bedrock", "us.amazon.nova-lite-v1:0", "amazon.titan-embed-text-v2:0", "abcdef123456",
	"s3://bkt/jobs/batchinf/" INTENT "/input.jsonl",
	"out", {"deaddead0000"}, "out/abcdef123456/input.jsonl.out"},
	{"vertex", "gemini-3.5-flash-lite", "text-embedding-005", "5264058627175130951",
	"gs://bkt/jobs/batchinf/" INTENT "/input.jsonl",
	"gs://bkt/jobs/batchinf/" INTENT "/out-1/prediction-model-2026-11-20T10:00:05.123456Z", {"77"},
	"out-1/prediction-model-2026-11-20T10:00:05.123456Z/predictions.jsonl"},
	{"gemini", "gemini-3.5-flash-lite", "gemini-embedding-001", "batches/abc123", "files/in-1",
	"files/batch-abc123", {"batches/d1", "batches/d2"}, "none"},
};

static int
names_of(const BiProvider *provider)
{
	for (int i = 1; i < lengthof(names); i++)
		if (strcmp(names[i].provider, provider->name) == 0)
			return i;
	return 0;
}

static BiJob *
make_job(const BiProvider *provider, int shape)
{
	static const BiInput inputs[] =
		{BI_INPUT_TEXT, BI_INPUT_MESSAGES, BI_INPUT_BODY, BI_INPUT_TEXT};
	const struct Names *name = &names[names_of(provider)];
	BiJob	   *job = palloc0(sizeof(BiJob));

	job->id = 42;
	job->spec.task = shape & 4 ? BI_TASK_EMBEDDING : BI_TASK_CHAT;
	job->spec.model = pstrdup(shape & 4 ? name->embedding : name->model);
	job->spec.input = inputs[shape & 3];
	job->spec.endpoint = shape & 16 && provider->job->choose_endpoint ? "responses" : NULL;
	job->spec.max_attempts = 3;
	return job;
}

static BiServer *
make_server(const BiProvider *provider, int shape)
{
	const char *prefix = provider->defaults.storage_prefix;
	BiServer   *server = palloc0(sizeof(BiServer));

	server->name = "fuzz";
	server->provider = pstrdup(provider->name);
	server->base_url = "https://host.example/v1";
	server->model = pstrdup(names[names_of(provider)].model);
	server->metadata = shape & 8 ? "off" : NULL;
	server->reasoning_tags = shape & 8 ? "think,reasoning" : NULL;
	server->max_requests = server->min_requests = server->max_bytes = server->max_batches = -1;
	server->max_enqueued_tokens = server->max_enqueued_requests = server->max_files =
		server->poll_interval = server->expires_after = -1;
	server->settle_time = -1;
	server->region = "us-east-1";
	server->location = "us-central1";
	server->project = "proj-1";
	server->role_arn = "arn:aws:iam::123456789012:role/batch";
	server->storage_url = psprintf("%sbkt/jobs", prefix ? prefix : "s3://");
	server->storage_base_url = "https://host.example/store";
	if (provider->login->secret)
		server->key.service_account = USER;
	else
		server->key.api_key = "sk-of-the-fuzzer";
	server->key.tenant_id = "tenant";
	server->key.client_id = "client";
	server->key.access_key_id = "AKIDEXAMPLE";
	server->key.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	return server;
}

static BiChunk *
make_chunk(const BiProvider *provider, int shape)
{
	BiChunk    *chunk = palloc0(sizeof(BiChunk));
	int			i = names_of(provider);

	chunk->id = 7;
	chunk->job_id = 42;
	chunk->attempt = 1;
	chunk->attempts_left = 2;
	strlcpy(chunk->intent, INTENT, sizeof(chunk->intent));
	chunk->batch = bi_batch_new();
	chunk->batch->try = 1;
	chunk->records = 3;
	chunk->bytes = 1000;
	chunk->batch->id = pstrdup(names[i].batch_id);
	chunk->batch->end = shape & 8 ? BI_BATCH_END_COMPLETED : BI_BATCH_END_NONE;
	chunk->batch->claimed_at = CLAIMED_AT;
	chunk->batch->submitted_at = CLAIMED_AT;
	chunk->batch->refs = bi_ref_set(NIL, "input", names[i].input);
	chunk->batch->refs = bi_ref_set(chunk->batch->refs, "output", names[i].output);
	chunk->batch->refs = bi_ref_set(chunk->batch->refs, "error", "file-err");
	for (int n = 0; n < lengthof(names[i].buried) && names[i].buried[n]; n++)
		chunk->batch->buried = lappend(chunk->batch->buried, pstrdup(names[i].buried[n]));
	chunk->batch->refs = bi_ref_set(chunk->batch->refs, "object.0", names[i].object);
	chunk->batch->refs = bi_ref_set(chunk->batch->refs, "object.1", "input.jsonl");
	return chunk;
}

BiCall *
fuzz_call(const BiProvider *provider, char **line)
{
	BiCall	   *call = palloc0(sizeof(BiCall));
	int			shape = (int) strtol(fuzz_word(line), NULL, 10) & 31;
	BiJob	   *job = make_job(provider, shape);
	char	   *model = fuzz_word(line);

	if (*model &&
		pg_encoding_verifymbstr(PG_UTF8, model, (int) strlen(model)) == (int) strlen(model))
		job->spec.model = model;
	call->provider = provider;
	call->job = job;
	call->server = make_server(provider, shape);
	call->chunk = make_chunk(provider, shape);
	call->now = NOW;
	return call;
}

char *
fuzz_secret(const BiProvider *provider, const BiCall *call)
{
	char	   *why = NULL;
	char	   *secret = provider->login->secret
		? provider->login->secret(call->server, NULL, &why)
		: bi_secret_read(&call->server->key, &why);

	FUZZ_CHECK(secret && !why);
	return secret;
}

BiExchange *
fuzz_exchange(void)
{
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);

	ex->upload = bi_spool_new(CurrentMemoryContext);
	bi_spool_write(ex->upload, "{}\n", 3);
	bi_spool_flush(ex->upload);
	return ex;
}

BiExchange *
fuzz_reply(BiExchange *ex, const char *status, FuzzInput reply)
{
	char	   *line;

	ex->transport = strcmp(status, "unsent") == 0 ? BI_TRANSPORT_UNSENT :
		strcmp(status, "broken") == 0 ? BI_TRANSPORT_BROKEN : BI_TRANSPORT_REPLIED;
	ex->status = ex->transport == BI_TRANSPORT_REPLIED ? (int) strtol(status, NULL, 10) % 1000 : 0;
	while (*(line = fuzz_line(&reply)) != '\0')
		bi_exchange_add_reply_line(ex, line, strlen(line));
	if (ex->transport != BI_TRANSPORT_REPLIED)
	{
		ex->cause = (BiCause) (reply.len % (BI_CAUSE_LOCAL + 1));
		ex->detail = fuzz_rest(&reply);
		reply.len = 0;
	}
	ex->body.data = fuzz_copy(reply.data, reply.len);
	ex->body.len = (int) reply.len;
	ex->body.maxlen = ex->body.len + 1;
	return ex;
}

bool
fuzz_check_verdict(BiVerdict verdict)
{
	FUZZ_CHECK(verdict.kind >= BI_VERDICT_OK && verdict.kind <= BI_VERDICT_UNCLEAR &&
			   verdict.wait_ms >= 0);
	if (verdict.kind != BI_VERDICT_OK)
	{
		FUZZ_CHECK(verdict.code && verdict.message);
		fuzz_check_words(verdict.code, 2 * BI_WIRE_CODE);
	}
	if (verdict.message)
		fuzz_check_words(verdict.message, 2 * BI_WIRE_MESSAGE);
	return verdict.kind == BI_VERDICT_OK;
}
