/*
 * provider/aws/bedrock.c: the routine table of Amazon Bedrock's model invocation jobs.
 *
 * Knows which reply answers which request.  The parts stand elsewhere:
 * - requests to the control plane in bedrock_request.c, to S3 in bedrock_store.c;
 * - records in bedrock_spec.c, answers in bedrock_line.c;
 * - what replies mean in bedrock_reply.c and bedrock_job.c.
 *
 * The paid call is CreateModelInvocationJob.  Its token is committed before (bedrock_job.c), and a
 * job is found again by it in the list of jobs.
 *
 * Sources: botocore, bedrock 2023-04-20 service-2.json (seen 2026-08); Bedrock's user guide.
 */
#include "postgres.h"

#include "provider/aws/aws.h"
#include "provider/aws/aws_login.h"
#include "provider/aws/aws_secret.h"
#include "provider/aws/bedrock.h"
#include "provider/aws/bedrock_check.h"
#include "provider/aws/bedrock_family.h"
#include "provider/aws/bedrock_job.h"
#include "provider/aws/bedrock_line.h"
#include "provider/aws/bedrock_realtime.h"
#include "provider/aws/bedrock_reply.h"
#include "provider/aws/bedrock_request.h"
#include "provider/aws/bedrock_spec.h"
#include "provider/aws/bedrock_store.h"
#include "provider/folder.h"
#include "provider/report.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define FIND_PAGE 100

/* The routines of the table.  provider.h has their contracts; a comment here says what is
 * special. */

/* Signs a request, to Bedrock or to S3. */
static void
authorize(const BiCall *call, const char *proof, BiExchange *ex)
{
	bool		bedrock = bi_bedrock_request_is(call, ex) || bi_bedrock_realtime_is(call, ex);

	bi_aws_sign(call, proof, bedrock ? "bedrock" : "s3", ex);
}

/* Create */

static void
create(const BiCall *call, BiExchange *ex)
{
	BiBedrockJob job = {
		.name = bi_bedrock_job_token(call->chunk),
		.model = call->job->spec.model,
		.invocation = bi_bedrock_spec_invocation(&call->job->spec),
		.input = bi_folder_place(call, "input.jsonl"),
		.output = bi_folder_place(call, "out/"),
	};

	bi_bedrock_request_create(call, &job, ex);
}

/*
 * Returns what a verdict on the create call means.  A refusal that says that name or token are
 * taken can only mean our own job, so it exists: unclear, search for it.  Rights are given by a
 * person, so a refusal that speaks of them waits and does not fail the job.
 */
static BiVerdictKind
create_kind(const BiVerdict *verdict)
{
	static const char *const taken[] = {
		"job name is currently in use", "clientRequestToken", "client request token", NULL
	};

	if (verdict->kind == BI_VERDICT_ABSENT)
		return BI_VERDICT_REFUSED;
	if (verdict->kind != BI_VERDICT_REFUSED)
		return verdict->kind;
	if (bi_words_mention(verdict->message, taken))
		return BI_VERDICT_UNCLEAR;
	if (bi_words_mention(verdict->message, bi_bedrock_reply_rights))
		return BI_VERDICT_DENIED;
	return BI_VERDICT_REFUSED;
}

static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	memset(batch, 0, sizeof(BiBatchReport));
	batch->completed = batch->failed = -1;
	bi_verdict_change(&verdict, ex, create_kind(&verdict));
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	batch->id = bi_bedrock_job_id(bi_json_at(bi_wire_body(ex), "jobArn", NULL));
	return batch->id ? verdict : bi_verdict_unexpected(ex, "a job's ARN");
}

/* Find */

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	bi_bedrock_request_list(call, bi_bedrock_job_token(call->chunk), FIND_PAGE, cursor, ex);
}

static BiVerdict
read_find(const BiCall *call, const BiExchange *ex, BiFound *found)
{
	return bi_report_take_page(bi_bedrock_reply_verdict(ex), call, ex, bi_bedrock_job_find,
							   "nextToken", "a list of jobs", found);
}

/* Poll, cancel */

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_bedrock_request_get(call, call->chunk->batch->id, ex);
}

static BiVerdict
read_poll(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	return bi_report_take_own(bi_bedrock_reply_verdict(ex), ex, bi_bedrock_job_read,
							  call->chunk->batch->id, "this job", batch);
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	bi_bedrock_request_stop(call, call->chunk->batch->id, ex);
}

/* A job that ended in the meantime is refused.  That is OK: the next poll says how it ended. */
static BiVerdict
read_cancel(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);

	if (ex->transport == BI_TRANSPORT_REPLIED && (ex->status == 400 || ex->status == 409) &&
		(verdict.kind == BI_VERDICT_REFUSED || verdict.kind == BI_VERDICT_UNCLEAR))
		return (BiVerdict) {BI_VERDICT_OK};
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

static const BiProviderJob job_routines = {
	.refuse_job = bi_bedrock_spec_refuse_job,
	.refuse_input = bi_bedrock_spec_refuse_input,
	.embedding_size = bi_bedrock_family_embedding_size,
	.frame = bi_bedrock_spec_frame,
};

static const BiProviderLogin login_routines = {
	.secret = bi_aws_secret_find,
	.account = bi_aws_account,
	.request_token = bi_aws_login_request,
	.read_token = bi_aws_login_read,
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
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
};

static const BiProviderRealtime realtime_routines = {
	.frame = bi_bedrock_spec_frame_body,
	.request = bi_bedrock_realtime_request,
	.read = bi_bedrock_realtime_read,
};

static const BiProviderCheck check_routines = {
	.request = bi_bedrock_check_request,
	.read = bi_bedrock_check_read,
};

const BiProvider bi_bedrock = {
	.name = "bedrock",
	.defaults = {
		.base_url = "https://bedrock.{region}.amazonaws.com",
		.request_id_header = "x-amzn-requestid",
		.limits = {
			.max_requests = 50000,
			.min_requests = 100,
			.max_bytes = 1000000000,
			.max_batches = 20,
			.poll_interval = 60,
		},
		.server_options = server_options,
		.required_options = required,
		.mapping_options = mapping_options,
		.storage_prefix = "s3://",
	},
	.job = &job_routines,
	.login = &login_routines,
	.batch = &batch_routines,
	.realtime = &realtime_routines,
	.check = &check_routines,
};
