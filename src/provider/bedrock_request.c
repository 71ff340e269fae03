/*
 * provider/bedrock_request.c: what Bedrock's control plane is asked.
 *
 * Knows paths, queries and the document that makes a job.  A job is always named by the last
 * part of its ARN, which needs no escapes.  Called by bedrock.c and bedrock_check.c.
 */
#include "postgres.h"

#include "provider/aws.h"
#include "provider/bedrock.h"
#include "provider/wire.h"

#define JOBS "/model-invocation-jobs"
#define JOB "/model-invocation-job"

static char *
url_of(const BiServer *server, const char *path)
{
	return psprintf("%s%s", bi_wire_base_url(server, bi_aws_url(server, "bedrock")), path);
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	bi_exchange_request(ex, method, url_of(call->server, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

/* "name":"value" with what stands before it; nothing for NULL. */
static void
append_text(StringInfo out, const char *before, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(out, "%s\"%s\":", before, name);
	bi_json_append_string(out, value);
}

static void
append_data(StringInfo out, const BiServer *server, const BiBedrockJob *job)
{
	appendStringInfoString(out, ",\"inputDataConfig\":{\"s3InputDataConfig\":{\"s3InputFormat\":\"JSONL\"");
	append_text(out, ",", "s3Uri", job->input);
	append_text(out, ",", "s3BucketOwner", server->storage_owner);
	appendStringInfoString(out, "}},\"outputDataConfig\":{\"s3OutputDataConfig\":{");
	append_text(out, "", "s3Uri", job->output);
	append_text(out, ",", "s3EncryptionKeyId", server->storage_kms_key);
	append_text(out, ",", "s3BucketOwner", server->storage_owner);
	appendStringInfoString(out, "}}");
}

void
bi_bedrock_request_create(const BiCall *call, const BiBedrockJob *job, BiExchange *ex)
{
	int			hours = bi_bedrock_spec_hours(call->server);

	begin(call, ex, "POST", JOB);
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
	append_text(&ex->head, "{", "jobName", job->name);
	append_text(&ex->head, ",", "clientRequestToken", job->name);
	append_text(&ex->head, ",", "roleArn", call->server->role_arn);
	append_text(&ex->head, ",", "modelId", job->model);
	append_text(&ex->head, ",", "modelInvocationType", job->invocation);
	append_data(&ex->head, call->server, job);
	if (hours > 0)
		appendStringInfo(&ex->head, ",\"timeoutDurationInHours\":%d", hours);
	appendStringInfoChar(&ex->head, '}');
}

void
bi_bedrock_request_list(const BiCall *call, const char *name, int limit, const char *token, BiExchange *ex)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, JOBS "?maxResults=%d&nameContains=", limit);
	bi_wire_append_escaped(&path, name);
	if (token)
	{
		appendStringInfoString(&path, "&nextToken=");
		bi_wire_append_escaped(&path, token);
	}
	appendStringInfoString(&path, "&sortBy=CreationTime&sortOrder=Descending");
	begin(call, ex, "GET", path.data);
}

void
bi_bedrock_request_get(const BiCall *call, const char *id, BiExchange *ex)
{
	begin(call, ex, "GET", psprintf(JOB "/%s", id));
}

void
bi_bedrock_request_stop(const BiCall *call, const char *id, BiExchange *ex)
{
	begin(call, ex, "POST", psprintf(JOB "/%s/stop", id));
	ex->has_body = true;		/* an empty one */
}

bool
bi_bedrock_request_is(const BiCall *call, const BiExchange *ex)
{
	char	   *url = url_of(call->server, JOB);

	return strncmp(ex->url, url, strlen(url)) == 0;
}
