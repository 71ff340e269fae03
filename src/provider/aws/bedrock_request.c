/*
 * provider/aws/bedrock_request.c: the requests to Bedrock's control plane.
 *
 * Knows paths, queries and the document that creates a job (source: botocore, bedrock 2023-04-20
 * service-2.json, seen 2026-08).  A job is always named by its id, which needs no escapes.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws/aws.h"
#include "provider/aws/bedrock_request.h"
#include "provider/aws/bedrock_spec.h"
#include "provider/wire.h"

#define JOBS "/model-invocation-jobs"
#define JOB "/model-invocation-job"

/* Returns the address of a path of the control plane, palloc'd. */
static char *
url_of(const BiServer *server, const char *path)
{
	return psprintf("%s%s", bi_wire_base_url(server, bi_aws_url(server, "bedrock")), path);
}

/* Begins a request to the control plane. */
static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *path)
{
	bi_exchange_request(ex, method, url_of(call->server, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

/* Appends before and "name":"value"; nothing if value is NULL. */
static void
append_text(StringInfo out, const char *before, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(out, "%s\"%s\":", before, name);
	bi_json_append_string(out, value);
}

/* Appends where Bedrock finds the input and puts the results. */
static void
append_data(StringInfo out, const BiServer *server, const BiBedrockJob *job)
{
	appendStringInfoString(out, ",\"inputDataConfig\":{\"s3InputDataConfig\":"
						   "{\"s3InputFormat\":\"JSONL\"");
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
bi_bedrock_request_list(const BiCall *call, const char *name, int limit, const char *token,
						BiExchange *ex)
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
	ex->has_body = true;		/* which is empty */
}

bool
bi_bedrock_request_is(const BiCall *call, const BiExchange *ex)
{
	char	   *url = url_of(call->server, JOB);

	return strncmp(ex->url, url, strlen(url)) == 0;
}
