/*
 * provider/bedrock_check.c: what batch_check asks of Bedrock and S3.
 *
 * In turns, told by the cursor: the newest probe in the list of jobs (address, region, key);
 * the bucket; and where no probe tells enough, a new one: an object with one line that is no
 * record, and a job over it, which Bedrock must refuse once it has read it with the role.
 * Nothing is paid for: no model ever sees such a line.  A probe that takes longer than the
 * check tells the next check.  Called through the routine table.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "provider/bedrock.h"
#include "provider/openai.h"
#include "provider/s3.h"
#include "provider/wire.h"

#define PROBE "this line is no record: it asks whether the role can read it\n"

/* A probe that went well is good for a day; one that did not is made anew after a minute, for
 * somebody may have set right what was wrong. */
#define GOOD_SECONDS (24 * 60 * 60)
#define BAD_SECONDS 60

/* Turns: the first letter of a cursor, with an id or words behind it. */
#define TURN_BUCKET 'b'			/* and the turn behind it */
#define TURN_PUT 'p'
#define TURN_CREATE 'c'
#define TURN_WATCH 'w'			/* and the probe's id */
#define TURN_CLEAN 'd'			/* and the letter of the finding, and its words */

#define FOUND_GOOD 'g'			/* or nothing that is bad */
#define FOUND_MODEL 'm'			/* it is the model's fault */
#define FOUND_BAD 'r'

static char
turn_of(const BiCall *call)
{
	return call->cursor ? *call->cursor : '\0';
}

static const char *
model_of(const BiCall *call)
{
	return call->job ? call->job->spec.model : call->server->model;
}

/* The same for what is set up in the same way. */
static char *
probe_name(const BiCall *call)
{
	const BiServer *server = call->server;
	const char *parts[] = {server->role_arn, server->storage_url, server->storage_kms_key, server->storage_owner, model_of(call)};
	uint32		hash = 0;

	for (int i = 0; i < lengthof(parts); i++)
		hash = hash_combine(hash, parts[i] ? hash_bytes((const unsigned char *) parts[i], (int) strlen(parts[i])) : 0);
	return psprintf("batchinf-check-%08x-", hash);
}

static char *
probe_place(const BiCall *call, const char *end)
{
	return bi_bedrock_store_root(call->server, psprintf("check/%s%s", probe_name(call), end));
}

static void
create_probe(const BiCall *call, BiExchange *ex)
{
	BiSpec		spec = {.model = unconstify(char *, model_of(call))};
	BiBedrockJob job = {
		.name = psprintf("%s" INT64_FORMAT, probe_name(call), call->now),
		.model = spec.model,
		.input = probe_place(call, "probe.jsonl"),
		.output = probe_place(call, "out/"),
	};

	spec.task = bi_bedrock_family(spec.model) == BI_BEDROCK_TEXT ? BI_TASK_CHAT : BI_TASK_EMBEDDING;
	job.invocation = bi_bedrock_spec_invocation(&spec);
	bi_bedrock_request_create(call, &job, ex);
}

void
bi_bedrock_check(const BiCall *call, BiExchange *ex)
{
	switch (turn_of(call))
	{
		case TURN_BUCKET:
			bi_s3_list(call, bi_bedrock_store_root(call->server, "check/"), NULL, ex);
			break;
		case TURN_PUT:
			bi_s3_put(call, probe_place(call, "probe.jsonl"), ex);
			appendStringInfoString(&ex->head, PROBE);
			break;
		case TURN_CREATE:
			create_probe(call, ex);
			break;
		case TURN_WATCH:
			bi_bedrock_request_get(call, call->cursor + 1, ex);
			break;
		case TURN_CLEAN:
			bi_s3_delete(call, probe_place(call, "probe.jsonl"), ex);
			break;
		default:
			bi_bedrock_request_list(call, model_of(call) ? probe_name(call) : "batchinf-check-", 1, NULL, ex);
	}
}

static BiVerdict
turn_to(char turn, const char *rest)
{
	return (BiVerdict) {.kind = BI_OK, .next = psprintf("%c%s", turn, rest)};
}

static BiVerdict
finding(BiVerdictKind kind, const char *code, char *message)
{
	return (BiVerdict) {.kind = kind, .code = pstrdup(code), .message = message};
}

/* The next turn removes the probe and tells this. */
static BiVerdict
found(char what, const char *words)
{
	return turn_to(TURN_CLEAN, psprintf("%c%s", what, words));
}

/* Probes */

/* Seconds since that time of the job; a large number where it is not told. */
static int64
age_of(const BiCall *call, const BiJson *job, const char *name)
{
	char	   *text = bi_json_cstring(bi_json_at(job, name, NULL));
	int64		time = text ? bi_wire_time(text) : -1;

	return time < 0 ? GOOD_SECONDS : call->now - time;
}

/* What a probe that has ended tells; BI_NOT_YET: it has not, or something else ended it. */
static BiVerdict
judge_probe(const BiJson *job)
{
	static const char *const missing[] = {"does not exist", "could not validate", NULL};
	BiBatch		batch;
	const char *words;

	if (!bi_bedrock_job_read(job, &batch) || batch.state != BI_BATCH_FAILED || batch.faults == NIL || batch.deferred)
		return (BiVerdict) {BI_NOT_YET};
	words = ((BiFault *) linitial(batch.faults))->message;
	if (bi_bedrock_reply_mentions(words, bi_bedrock_reply_rights) || bi_bedrock_reply_mentions(words, missing))
		return found(FOUND_BAD, psprintf("the role cannot do its work: %s", words));
	return found(FOUND_GOOD, psprintf("key, bucket, model and role are good; of a probe, which it must refuse, Bedrock said: %s", words));
}

/* Is the probe under way? */
static bool
is_open(const BiJson *job)
{
	BiBatch		batch;

	return bi_bedrock_job_read(job, &batch) && batch.id && (batch.state == BI_BATCH_WAITING || batch.state == BI_BATCH_RUNNING);
}

/* What the newest probe is good for: the turn behind the bucket's. */
static char *
plan(const BiCall *call, const BiJson *list)
{
	const BiJson *job = bi_json_item(bi_json_at(list, "invocationJobSummaries", NULL), 0);
	BiVerdict	told = judge_probe(job);
	bool		good = told.next && told.next[1] == FOUND_GOOD;

	if (is_open(job) && age_of(call, job, "submitTime") < GOOD_SECONDS)
		return psprintf("%c%s", TURN_WATCH, bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL)));
	if (told.next && age_of(call, job, "lastModifiedTime") < (good ? GOOD_SECONDS : BAD_SECONDS))
		return told.next;
	return psprintf("%c", TURN_PUT);
}

/* Replies */

/* The first request: 404 is no model here, and a wrong region is no wrong key. */
static BiVerdict
read_list(const BiCall *call, const BiExchange *ex)
{
	static const char *const region[] = {"valid region", "credential should be scoped", NULL};
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	BiJson	   *list;

	if (verdict.kind == BI_OK)
	{
		list = bi_json_parse(ex->body.data, ex->body.len);
		if (bi_json_type(bi_json_at(list, "invocationJobSummaries", NULL)) != BI_JSON_ARRAY)
			return bi_openai_reply_unexpected(ex, "a list of jobs");
		return turn_to(TURN_BUCKET, model_of(call) ? plan(call, list) : "");
	}
	if (bi_bedrock_reply_mentions(verdict.message, region))
		verdict = finding(BI_REFUSED, verdict.code, psprintf("%s (is option \"region\", which is \"%s\", that of the server's address?)",
															 verdict.message, call->server->region));
	if (verdict.kind == BI_ABSENT)
		verdict = finding(BI_REFUSED, verdict.code, psprintf("%s (is option \"base_url\" right?)", verdict.message));
	return verdict;
}

/* Whether the key is good has been told: what is denied from here on is a right. */
static BiVerdict
denied(const BiCall *call, BiVerdict verdict, const char *right)
{
	static const char *const keys[] = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"};

	for (int i = 0; i < lengthof(keys); i++)
		if (bi_s3_has_code(&verdict, keys[i]))
			return verdict;
	verdict.kind = BI_REFUSED;
	if (bi_s3_has_code(&verdict, "AccessDenied"))
		verdict.message = psprintf("%s (either the bucket of \"%s\" belongs to another account%s, or the key lacks the right %s)", verdict.message,
								   call->server->storage_url, call->server->storage_owner ? " than option \"storage_owner\" says" : "", right);
	return verdict;
}

static BiVerdict
read_bucket(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);
	const char *create = call->server->storage_create;

	if (bi_s3_has_code(&verdict, "NoSuchBucket") && create && strcmp(create, "on") == 0)
		return (BiVerdict) {.kind = BI_OK, .message = pstrdup("the key is good; the bucket does not exist yet and will be made by the first job: "
															   "model and role can be checked behind that")};
	if (bi_s3_has_code(&verdict, "NoSuchBucket"))
	{
		verdict = bi_bedrock_store_no_bucket(call->server);
		verdict.kind = BI_REFUSED;
		return verdict;
	}
	if (verdict.kind == BI_ABSENT)
		verdict.kind = BI_REFUSED;
	if (verdict.kind == BI_DENIED)
		return denied(call, verdict, "s3:ListBucket");
	if (verdict.kind == BI_OK && call->cursor[1])
		verdict.next = pstrdup(call->cursor + 1);
	return verdict;
}

static BiVerdict
read_put(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);

	if (verdict.kind == BI_DENIED)
		return denied(call, verdict, "s3:PutObject");
	return verdict.kind == BI_OK ? turn_to(TURN_CREATE, "") : verdict;
}

/* Where there is no room for a probe, there is nothing wrong with it either. */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex)
{
	static const char *const rights[] = {"role", "not authorized to perform", NULL};
	static const char *const model[] = {"model", NULL};
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	char	   *id = verdict.kind == BI_OK ? bi_bedrock_job_id(bi_json_at(bi_json_parse(ex->body.data, ex->body.len), "jobArn", NULL)) : NULL;
	char	   *words;

	if (verdict.kind == BI_OK)
		return id ? turn_to(TURN_WATCH, id) : bi_openai_reply_unexpected(ex, "a job's ARN");
	words = psprintf("%s: %s", verdict.code, verdict.message);
	if (verdict.kind == BI_DEFER)
		return found(FOUND_GOOD, psprintf("key and bucket are good; model and role could not be checked, for no job can be made now: %s", words));
	if (verdict.kind == BI_UNCLEAR)
		return verdict;
	if (bi_bedrock_reply_mentions(verdict.message, model) && !bi_bedrock_reply_mentions(verdict.message, rights))
		return found(FOUND_MODEL, words);
	return found(FOUND_BAD, words);
}

static BiVerdict
read_watch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	BiJson	   *job = bi_json_parse(ex->body.data, ex->body.len);
	BiVerdict	told;

	if (verdict.kind == BI_ABSENT)
		verdict.kind = BI_REFUSED;
	if (verdict.kind == BI_OK && bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL)) == NULL)
		return bi_openai_reply_unexpected(ex, "a job");
	if (verdict.kind != BI_OK)
		return verdict;
	told = judge_probe(job);
	if (told.kind == BI_OK)
		return told;
	return finding(is_open(job) ? BI_NOT_YET : BI_OK, "not_yet",
				   psprintf("key, bucket and model are good and the role can be passed; whether it can read and write the bucket is told by job %s, "
							"which Bedrock has not judged yet: ask again in a few minutes", call->cursor + 1));
}

/* Told, whether or not the probe could be removed. */
static BiVerdict
read_clean(const BiCall *call)
{
	const char *words = call->cursor + 2;

	switch (call->cursor[1])
	{
		case FOUND_MODEL:
			return finding(BI_ABSENT, "no_model", pstrdup(words));
		case FOUND_BAD:
			return finding(BI_REFUSED, "refused", pstrdup(words));
		default:
			return (BiVerdict) {.kind = BI_OK, .message = pstrdup(words)};
	}
}

BiVerdict
bi_bedrock_read_check(const BiCall *call, const BiExchange *ex)
{
	switch (turn_of(call))
	{
		case TURN_BUCKET:
			return read_bucket(call, ex);
		case TURN_PUT:
			return read_put(call, ex);
		case TURN_CREATE:
			return read_create(call, ex);
		case TURN_WATCH:
			return read_watch(call, ex);
		case TURN_CLEAN:
			return read_clean(call);
		default:
			return read_list(call, ex);
	}
}
