/*
 * provider/bedrock.c: Amazon Bedrock's model invocation jobs: the routine table, and what the
 * control plane's replies bring.
 *
 * Knows which reply answers which request.  What is asked stands in bedrock_request.c and
 * bedrock_store.c (the data, in S3), records in bedrock_spec.c and bedrock_line.c, what
 * bodies mean in bedrock_reply.c and bedrock_job.c.  No I/O, no clock: the engine calls it
 * through the table and carries what it writes.
 */
#include "postgres.h"

#include "provider/aws.h"
#include "provider/bedrock.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define FIND_PAGE 100

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

static void
authorize(const BiCall *call, const char *proof, BiExchange *ex)
{
	bi_aws_sign(call, proof, bi_bedrock_request_is(call, ex) ? "bedrock" : "s3", ex);
}

/* Create */

static void
create(const BiCall *call, BiExchange *ex)
{
	BiBedrockJob job = {
		.name = bi_bedrock_job_token(call->chunk),
		.model = call->job->spec.model,
		.invocation = bi_bedrock_spec_invocation(&call->job->spec),
		.input = bi_bedrock_store_place(call, "input.jsonl"),
		.output = bi_bedrock_store_place(call, "out/"),
	};

	bi_bedrock_request_create(call, &job, ex);
}

/*
 * A refusal that names our job, which nobody else's name or token can be, says that it is
 * there.  Rights are given by a person, and until then it waits.
 */
static BiVerdictKind
create_kind(const BiVerdict *verdict)
{
	static const char *const taken[] = {"job name is currently in use", "clientRequestToken", "client request token", NULL};

	if (verdict->kind == BI_ABSENT)
		return BI_REFUSED;
	if (verdict->kind != BI_REFUSED)
		return verdict->kind;
	if (bi_bedrock_reply_mentions(verdict->message, taken))
		return BI_UNCLEAR;
	return bi_bedrock_reply_mentions(verdict->message, bi_bedrock_reply_rights) ? BI_DENIED : BI_REFUSED;
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	batch->completed = batch->failed = -1;
	verdict.kind = create_kind(&verdict);
	if (verdict.kind != BI_OK)
		return verdict;
	batch->id = bi_bedrock_job_id(bi_json_at(parse_body(ex), "jobArn", NULL));
	return batch->id ? verdict : bi_openai_reply_unexpected(ex, "a job's ARN");
}

/* Find */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	bi_bedrock_request_list(call, bi_bedrock_job_token(call->chunk), FIND_PAGE, cursor, ex);
}

/* Is it the cursor that the page was asked with, as find wrote it? */
static bool
is_asked_cursor(const BiExchange *ex, const char *cursor)
{
	StringInfoData asked;

	initStringInfo(&asked);
	appendStringInfoString(&asked, "&nextToken=");
	bi_wire_append_escaped(&asked, cursor);
	appendStringInfoChar(&asked, '&');
	return ex->url && strstr(ex->url, asked.data);
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_OK && !bi_bedrock_job_find(call, parse_body(ex), found))
		return bi_openai_reply_unexpected(ex, "a list of jobs");
	/* the same place again: this list does not go on, so nothing is certain */
	if (found->cursor && is_asked_cursor(ex, found->cursor))
		found->cursor = NULL;
	return verdict;
}

/* Poll, cancel */

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_bedrock_request_get(call, call->chunk->batch_id, ex);
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatch));
	if (verdict.kind == BI_OK &&
		(!bi_bedrock_job_read(parse_body(ex), batch) || batch->id == NULL || strcmp(batch->id, call->chunk->batch_id) != 0))
		return bi_openai_reply_unexpected(ex, "this job");
	return verdict;
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	bi_bedrock_request_stop(call, call->chunk->batch_id, ex);
}

/* What ended in the meantime is refused: the next poll tells. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409) &&
		(verdict.kind == BI_REFUSED || verdict.kind == BI_UNCLEAR))
		return (BiVerdict) {BI_OK};
	return verdict;
}

static const char *const server_options[] = {
	"region", "role_arn", "completion_window", "authority_url", "runtime_base_url", "storage_url",
	"storage_base_url", "storage_style", "storage_kms_key", "storage_owner", "storage_create",
	NULL
};
static const char *const required[] = {"region", "role_arn", "storage_url", NULL};
static const char *const mapping_options[] = {
	"api_key", "api_key_file", "api_key_env", "access_key_id", "secret_access_key",
	"session_token", "credential_source", NULL
};

const BiProvider bi_bedrock = {
	.name = "bedrock",
	.base_url = "https://bedrock.{region}.amazonaws.com",
	.request_id = "x-amzn-requestid",
	.limits = {
		.max_requests = 50000,
		.min_requests = 100,
		.max_bytes = 1000000000,
		.max_batches = 20,
		.poll_interval = 60,
	},
	.server_options = server_options,
	.required = required,
	.mapping_options = mapping_options,
	.storage = "s3://",
	.refuse_job = bi_bedrock_spec_refuse_job,
	.refuse_input = bi_bedrock_spec_refuse_input,
	.embedding_size = bi_bedrock_family_embedding_size,
	.frame = bi_bedrock_spec_frame,
	.secret = bi_aws_secret,
	.account = bi_aws_account,
	.login = bi_aws_login,
	.read_login = bi_aws_read_login,
	.authorize = authorize,
	.upload = bi_bedrock_store_upload,
	.read_upload = bi_bedrock_store_read_upload,
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = read_find,
	.poll = poll,
	.read_poll = read_poll,
	.cancel = cancel,
	.read_cancel = read_cancel,
	.outputs = bi_bedrock_store_outputs,
	.read_outputs = bi_bedrock_store_read_outputs,
	.fetch = bi_bedrock_store_fetch,
	.read_fetch = bi_bedrock_store_read_fetch,
	.read_line = bi_bedrock_line_read,
	.discard = bi_bedrock_store_discard,
	.read_discard = bi_bedrock_store_read_discard,
	.check = bi_bedrock_check,
	.read_check = bi_bedrock_read_check,
};
