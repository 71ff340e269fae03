/*
 * provider/aws/s3.c: requests to an object store that speaks S3.
 *
 * Knows both styles of addresses, and the headers that the server's options ask for.  The requests
 * are complete except for their signatures.
 */
#include "postgres.h"

#include "provider/aws/aws.h"
#include "provider/aws/s3.h"
#include "provider/wire.h"

#define SCHEME "s3://"

/* Places */

/* Returns the key in a place, which points into it; "" if it has none. */
static const char *
key_of(const char *place)
{
	const char *slash = strchr(place + strlen(SCHEME), '/');

	return slash ? slash + 1 : "";
}

/* Returns the bucket's name in a place, palloc'd. */
static char *
bucket_of(const char *place)
{
	place += strlen(SCHEME);
	return pnstrdup(place, strcspn(place, "/"));
}

/* Addresses */

/*
 * True if the bucket's name stands in the path and not in the host's name.  AWS's certificates
 * cover one label before the host's own name, so a name with dots cannot stand there, nor one with
 * "_".  Other stores may have no host names for buckets at all.
 */
static bool
is_path_style(const BiServer *server, const char *bucket)
{
	if (server->storage_style)
		return strcmp(server->storage_style, "path") == 0;
	return server->storage_base_url || strpbrk(bucket, "._");
}

/* Appends the bucket's own address, with a slash at its end. */
static void
append_bucket(StringInfo url, const BiServer *server, const char *bucket)
{
	const char *own = server->storage_base_url;
	char	   *base = own ? bi_wire_trimmed(own) : bi_aws_url(server, "s3");
	char	   *host = strstr(base, "://");

	if (is_path_style(server, bucket) || host == NULL)
		appendStringInfo(url, "%s/%s/", base, bucket);
	else
		appendStringInfo(url, "%.*s%s.%s/", (int) (host + 3 - base), base, bucket, host + 3);
}

/* Requests */

/* Begins a request for a key in the bucket of that place; the key is "" for the bucket itself. */
static void
begin(const BiCall *call, BiExchange *ex, const char *method, const char *place, const char *key,
	  const char *query)
{
	const BiServer *server = call->server;
	StringInfoData url;

	initStringInfo(&url);
	append_bucket(&url, server, bucket_of(place));
	bi_wire_append_path(&url, key);
	appendStringInfoString(&url, query);
	bi_exchange_request(ex, method, url.data);
}

/* The same; the store then refuses the request if the bucket is not storage_owner's. */
static void
begin_owned(const BiCall *call, BiExchange *ex, const char *method, const char *place,
			const char *key, const char *query)
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

/* S3 refuses us-east-1, its default region, as the document's LocationConstraint (source: S3's API
 * reference, CreateBucket). */
void
bi_s3_make_bucket(const BiCall *call, const char *place, BiExchange *ex)
{
	const char *region = bi_aws_region(call->server);

	begin(call, ex, "PUT", place, "", "");
	ex->has_body = true;
	if (strcmp(region, "us-east-1") == 0)
		return;
	bi_exchange_add_header(ex, "Content-Type", "application/xml");
	appendStringInfo(&ex->head, "<CreateBucketConfiguration "
					 "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
					 "<LocationConstraint>%s</LocationConstraint>"
					 "</CreateBucketConfiguration>", region);
}
