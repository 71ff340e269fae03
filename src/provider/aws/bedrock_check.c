/*
 * provider/aws/bedrock_check.c: what batch_check asks Bedrock and S3.
 *
 * Whether a role does its work only Bedrock can say, and only by a job.  So the check makes a
 * *probe*: an object with one line that is not a record, and a job over it.  Bedrock must refuse
 * the job: with words about the line if it could read it, otherwise about rights.  No model ever
 * sees the line, so nothing is paid except a few requests of S3.
 *
 * The requests, one a turn:
 * 1. List the newest probe.  This shows that address, region and key are good.
 * 2. List the bucket.
 * 3. If the newest probe is under way, go to 6.  If its end is still believed, go to 7.
 * 4. Put the probe's input.
 * 5. Create the probe.
 * 6. Look at the probe until it has ended or the check's time is over.
 * 7. Delete the probe's input, and say what was found out.
 *
 * Which turn is next is the first letter of the cursor.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "provider/aws/bedrock_check.h"
#include "provider/aws/bedrock_family.h"
#include "provider/aws/bedrock_job.h"
#include "provider/aws/bedrock_reply.h"
#include "provider/aws/bedrock_request.h"
#include "provider/aws/bedrock_spec.h"
#include "provider/aws/bedrock_store.h"
#include "provider/aws/s3.h"
#include "provider/aws/s3_reply.h"
#include "provider/folder.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define PROBE "this line is no record: it asks whether the role can read it\n"

/* How long a probe's end is believed.  After a bad end somebody may have put right what was wrong,
 * so another probe is made after a minute. */
#define GOOD_SECONDS (24 * 60 * 60)
#define BAD_SECONDS 60

/* What the next request is for: the first letter of the cursor.  What stands behind it is named
 * here. */
typedef enum Turn
{
	TURN_LIST = '\0',			/* no cursor: list the newest probe */
	TURN_BUCKET = 'b',			/* list the bucket; the cursor of the turn behind it, or nothing */
	TURN_PUT = 'p',				/* put the probe's input */
	TURN_CREATE = 'c',			/* create the probe */
	TURN_WATCH = 'w',			/* look at the probe; its id */
	TURN_CLEAN = 'd'			/* delete the probe's input; the finding's letter and its words */
} Turn;

/* What was found out, for the last turn. */
typedef enum Finding
{
	FOUND_GOOD = 'g',			/* all is good, or nothing is known to be bad */
	FOUND_MODEL = 'm',			/* the model is at fault */
	FOUND_BAD = 'r'				/* something else is at fault */
} Finding;

/* Returns which turn this call is. */
static Turn
turn_of(const BiCall *call)
{
	return call->cursor ? (Turn) *call->cursor : TURN_LIST;
}

/* Returns the model that is to be checked, or NULL. */
static const char *
model_of(const BiCall *call)
{
	return call->job ? call->job->spec.model : call->server->model;
}

/* Returns the beginning of a probe's name, palloc'd.  Servers that are set up in the same way have
 * the same, so that one probe serves all of them. */
static char *
probe_name(const BiCall *call)
{
	const BiServer *server = call->server;
	const char *parts[] = {
		server->role_arn, server->storage_url, server->storage_kms_key, server->storage_owner,
		model_of(call)
	};
	uint32		hash = 0;

	for (int i = 0; i < lengthof(parts); i++)
	{
		const unsigned char *part = (const unsigned char *) parts[i];

		hash = hash_combine(hash, part ? hash_bytes(part, (int) strlen(parts[i])) : 0);
	}
	return psprintf("batchinf-check-%08x-", hash);
}

/* Returns the place of an object of the probe, palloc'd. */
static char *
probe_place(const BiCall *call, const char *end)
{
	return bi_folder_root(call->server, psprintf("check/%s%s", probe_name(call), end));
}

/* Writes the request that creates the probe. */
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

	if (bi_bedrock_family_of(spec.model) == BI_BEDROCK_TEXT)
		spec.task = BI_TASK_CHAT;
	else
		spec.task = BI_TASK_EMBEDDING;
	job.invocation = bi_bedrock_spec_invocation(&spec);
	bi_bedrock_request_create(call, &job, ex);
}

void
bi_bedrock_check_request(const BiCall *call, BiExchange *ex)
{
	switch (turn_of(call))
	{
		case TURN_BUCKET:
			bi_s3_list(call, bi_folder_root(call->server, "check/"), NULL, ex);
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
			bi_bedrock_request_list(call, model_of(call) ? probe_name(call) : "batchinf-check-",
									1, NULL, ex);
	}
}

/* Returns OK with the cursor of that turn as next; rest is what stands behind its letter. */
static BiVerdict
turn_to(Turn turn, const char *rest)
{
	return bi_verdict_next(psprintf("%c%s", turn, rest));
}

/* Returns a verdict that ends the check.  Takes over the message. */
static BiVerdict
finding(BiVerdictKind kind, const char *code, char *message)
{
	return (BiVerdict) {.kind = kind, .code = pstrdup(code), .message = message};
}

/* Returns OK with the last turn as next: it removes the probe's input and then says this. */
static BiVerdict
found(Finding what, const char *words)
{
	return turn_to(TURN_CLEAN, psprintf("%c%s", what, words));
}

/* Probes */

/* Returns the seconds since that time of the job; GOOD_SECONDS if the job does not have it. */
static int64
age_of(const BiCall *call, const BiJson *job, const char *name)
{
	char	   *text = bi_json_cstring(bi_json_at(job, name, NULL));
	int64		time = text ? bi_wire_time(text) : -1;

	return time < 0 ? GOOD_SECONDS : call->now - time;
}

/* Returns what a probe's end says: the last turn as next.  NOT_YET if the probe has not ended, or
 * was ended by something else. */
static BiVerdict
judge_probe(const BiJson *job)
{
	static const char *const missing[] = {"does not exist", "could not validate", NULL};
	BiBatchReport batch;
	const char *words;

	if (!bi_bedrock_job_read(job, &batch) || batch.state != BI_BATCH_FAILED ||
		batch.faults == NIL || batch.deferred)
		return (BiVerdict) {BI_VERDICT_NOT_YET};
	words = ((BiFault *) linitial(batch.faults))->message;
	if (bi_words_mention(words, bi_bedrock_reply_rights) || bi_words_mention(words, missing))
		return found(FOUND_BAD, psprintf("the role cannot do its work: %s", words));
	return found(FOUND_GOOD,
				 psprintf("key, bucket, model and role are good; of a probe, which it must refuse, "
						  "Bedrock said: %s", words));
}

/* True if the probe is under way. */
static bool
is_open(const BiJson *job)
{
	BiBatchReport batch;

	return bi_bedrock_job_read(job, &batch) && batch.id &&
		(batch.state == BI_BATCH_WAITING || batch.state == BI_BATCH_RUNNING);
}

/* Returns the cursor of the turn behind the bucket's, palloc'd: watch the newest probe, say what it
 * found, or make another one. */
static char *
plan(const BiCall *call, const BiJson *list)
{
	const BiJson *job = bi_json_item(bi_json_at(list, "invocationJobSummaries", NULL), 0);
	BiVerdict	end = judge_probe(job);
	bool		good = end.next && end.next[1] == FOUND_GOOD;
	int64		believed = good ? GOOD_SECONDS : BAD_SECONDS;

	if (is_open(job) && age_of(call, job, "submitTime") < GOOD_SECONDS)
		return psprintf("%c%s", TURN_WATCH, bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL)));
	if (end.next && age_of(call, job, "lastModifiedTime") < believed)
		return end.next;
	return psprintf("%c", TURN_PUT);
}

/* Replies */

/* Reads the reply to the first request.  404 does not mean the model here, and a wrong region is
 * not a wrong key. */
static BiVerdict
read_list(const BiCall *call, const BiExchange *ex)
{
	static const char *const region[] = {"valid region", "credential should be scoped", NULL};
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	BiJson	   *list;

	if (verdict.kind == BI_VERDICT_OK)
	{
		list = bi_wire_body(ex);
		if (bi_json_type(bi_json_at(list, "invocationJobSummaries", NULL)) != BI_JSON_ARRAY)
			return bi_verdict_unexpected(ex, "a list of jobs");
		return turn_to(TURN_BUCKET, model_of(call) ? plan(call, list) : "");
	}
	if (bi_words_mention(verdict.message, region))
		verdict = finding(BI_VERDICT_REFUSED, verdict.code,
						  psprintf("%s (is option \"region\", which is \"%s\", that of the "
								   "server's address?)", verdict.message, call->server->region));
	if (verdict.kind == BI_VERDICT_ABSENT)
		verdict = finding(BI_VERDICT_REFUSED, verdict.code,
						  psprintf("%s (is option \"base_url\" right?)", verdict.message));
	return verdict;
}

/*
 * Returns what S3's denial means.  The first request has shown that the key is good, so what is
 * denied is a right, unless S3 says that it is the key.  right is the one that the request needs.
 */
static BiVerdict
denied(const BiCall *call, const BiExchange *ex, BiVerdict verdict, const char *right)
{
	static const char *const keys[] = {
		"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", NULL
	};
	const BiServer *server = call->server;
	const char *owner = server->storage_owner ? " than option \"storage_owner\" says" : "";

	if (bi_words_list(keys, verdict.code))
		return verdict;
	bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	if (bi_words_equal(verdict.code, "AccessDenied"))
		verdict.message = psprintf("%s (either the bucket of \"%s\" belongs to another account%s, "
								   "or the key lacks the right %s)",
								   verdict.message, server->storage_url, owner, right);
	return verdict;
}

/* Reads the list of the bucket. */
static BiVerdict
read_bucket(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);
	bool		missing = bi_words_equal(verdict.code, "NoSuchBucket");

	if (missing && bi_bedrock_store_makes_bucket(call->server))
		return (BiVerdict) {
			.kind = BI_VERDICT_OK,
			.message = pstrdup("the key is good; the bucket does not exist yet and will be made by "
							   "the first job: model and role can be checked after that")
		};
	if (missing)
	{
		verdict = bi_bedrock_store_no_bucket(call->server, ex);
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
		return verdict;
	}
	if (verdict.kind == BI_VERDICT_ABSENT)
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	if (verdict.kind == BI_VERDICT_DENIED)
		return denied(call, ex, verdict, "s3:ListBucket");
	if (verdict.kind == BI_VERDICT_OK && call->cursor[1])
		verdict.next = pstrdup(call->cursor + 1);
	return verdict;
}

/* Reads the reply to the upload of the probe's input. */
static BiVerdict
read_put(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);

	if (verdict.kind == BI_VERDICT_DENIED)
		return denied(call, ex, verdict, "s3:PutObject");
	return verdict.kind == BI_VERDICT_OK ? turn_to(TURN_CREATE, "") : verdict;
}

/* Reads the reply to the create call.  If there is no room for another job, nothing is known to be
 * wrong. */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex)
{
	static const char *const rights[] = {"role", "not authorized to perform", NULL};
	static const char *const model[] = {"model", NULL};
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	char	   *id;
	char	   *words;

	if (verdict.kind == BI_VERDICT_OK)
	{
		id = bi_bedrock_job_id(bi_json_at(bi_wire_body(ex), "jobArn", NULL));
		return id ? turn_to(TURN_WATCH, id) : bi_verdict_unexpected(ex, "a job's ARN");
	}
	words = psprintf("%s: %s", verdict.code, verdict.message);
	if (verdict.kind == BI_VERDICT_DEFER)
		return found(FOUND_GOOD,
					 psprintf("key and bucket are good; model and role could not be checked, "
							  "because no job can be made now: %s", words));
	if (verdict.kind == BI_VERDICT_UNCLEAR)
		return verdict;
	if (bi_words_mention(verdict.message, model) && !bi_words_mention(verdict.message, rights))
		return found(FOUND_MODEL, words);
	return found(FOUND_BAD, words);
}

/* Reads the probe.  If Bedrock has not judged it when the check's time is over, the next check will
 * read its end. */
static BiVerdict
read_watch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	BiJson	   *job = bi_wire_body(ex);
	BiVerdict	end;

	if (verdict.kind == BI_VERDICT_ABSENT)
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	if (verdict.kind == BI_VERDICT_OK && bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL)) == NULL)
		return bi_verdict_unexpected(ex, "a job");
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	end = judge_probe(job);
	if (end.kind == BI_VERDICT_OK)
		return end;
	return finding(is_open(job) ? BI_VERDICT_NOT_YET : BI_VERDICT_OK, "not_yet",
				   psprintf("key, bucket and model are good and the role can be passed; whether it "
							"can read and write the bucket is decided by job %s, which Bedrock has "
							"not judged yet: ask again in a few minutes", call->cursor + 1));
}

/* Returns what was found out, whether or not the probe's input could be removed. */
static BiVerdict
read_clean(const BiCall *call)
{
	const char *words = call->cursor + 2;

	switch (call->cursor[1])
	{
		case FOUND_MODEL:
			return finding(BI_VERDICT_ABSENT, "no_model", pstrdup(words));
		case FOUND_BAD:
			return finding(BI_VERDICT_REFUSED, "refused", pstrdup(words));
		default:
			return (BiVerdict) {.kind = BI_VERDICT_OK, .message = pstrdup(words)};
	}
}

BiVerdict
bi_bedrock_check_read(const BiCall *call, const BiExchange *ex)
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
