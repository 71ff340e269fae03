/*
 * provider/s3.c: the S3 dialect: addresses and requests.
 *
 * Knows both styles of addresses and the headers that a server's options ask for.  Requests
 * are whole but for their signature.  Called by the providers whose batches travel through
 * S3.
 */
#include "postgres.h"

#include "provider/aws.h"
#include "provider/s3.h"
#include "provider/wire.h"

#define SCHEME "s3://"

static const char *
key_of(const char *place)
{
	const char *slash = strchr(place + strlen(SCHEME), '/');

	return slash ? slash + 1 : "";
}

static char *
bucket_of(const char *place)
{
	place += strlen(SCHEME);
	return pnstrdup(place, strcspn(place, "/"));
}

/* Certificates have room for one label before the host's own name, and the hosts of other
 * stores may have no names for buckets. */
static bool
is_path_style(const BiServer *server, const char *bucket)
{
	if (server->storage_style)
		return strcmp(server->storage_style, "path") == 0;
	return server->storage_base_url || strpbrk(bucket, "._");
}

/* The bucket's own address, with a slash at its end. */
static void
append_bucket(StringInfo url, const BiServer *server, const char *bucket)
{
	char	   *base = server->storage_base_url ? bi_wire_trimmed(server->storage_base_url) : bi_aws_url(server, "s3");
	char	   *host = strstr(base, "://");

	if (is_path_style(server, bucket) || host == NULL)
		appendStringInfo(url, "%s/%s/", base, bucket);
	else
		appendStringInfo(url, "%.*s%s.%s/", (int) (host + 3 - base), base, bucket, host + 3);
}

/* Escaped but for its slashes. */
static void
append_key(StringInfo url, const char *key)
{
	while (*key)
	{
		size_t		len = strcspn(key, "/");

		bi_wire_append_escaped(url, pnstrdup(key, len));
		key += len;
		if (*key)
			appendStringInfoChar(url, *key++);
	}
}

static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *place, const char *key, const char *query)
{
	const BiServer *server = call->server;
	StringInfoData url;

	initStringInfo(&url);
	append_bucket(&url, server, bucket_of(place));
	append_key(&url, key);
	appendStringInfoString(&url, query);
	bi_exchange_request(ex, method, url.data);
}

static void
begin_owned(const BiCall *call, BiExchange *ex, const char *method, const char *place, const char *key, const char *query)
{
	begin(call, ex, method, place, key, query);
	if (call->server->storage_owner)
		bi_exchange_add_header(ex, "x-amz-expected-bucket-owner", call->server->storage_owner);
}

void
bi_s3_put(const BiCall *call, const char *place, BiExchange *ex)
{
	const char *kms_key = call->server->storage_kms_key;

	begin_owned(call, ex, "PUT", place, key_of(place), "");
	bi_exchange_add_header(ex, "Content-Type", "application/jsonl");
	if (kms_key)
	{
		bi_exchange_add_header(ex, "x-amz-server-side-encryption", "aws:kms");
		bi_exchange_add_header(ex, "x-amz-server-side-encryption-aws-kms-key-id", kms_key);
	}
	ex->has_body = true;
}

void
bi_s3_get(const BiCall *call, const char *place, BiExchange *ex)
{
	begin_owned(call, ex, "GET", place, key_of(place), "");
}

void
bi_s3_delete(const BiCall *call, const char *place, BiExchange *ex)
{
	begin_owned(call, ex, "DELETE", place, key_of(place), "");
}

void
bi_s3_list(const BiCall *call, const char *place, const char *token, BiExchange *ex)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, "?list-type=2");
	if (token)
	{
		appendStringInfoString(&query, "&continuation-token=");
		bi_wire_append_escaped(&query, token);
	}
	appendStringInfoString(&query, "&prefix=");
	bi_wire_append_escaped(&query, key_of(place));
	begin_owned(call, ex, "GET", place, "", query.data);
}

/* The region where S3 began has no name in this document. */
void
bi_s3_make_bucket(const BiCall *call, const char *place, BiExchange *ex)
{
	const char *region = bi_aws_region(call->server);

	begin(call, ex, "PUT", place, "", "");
	ex->has_body = true;
	if (strcmp(region, "us-east-1") == 0)
		return;
	bi_exchange_add_header(ex, "Content-Type", "application/xml");
	appendStringInfo(&ex->head, "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
					 "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>", region);
}
