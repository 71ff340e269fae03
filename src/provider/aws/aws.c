/*
 * provider/aws/aws.c: regions, addresses, accounts and signatures at AWS.
 *
 * Knows which requests are signed, with what, and where AWS has its services.  How a signature is
 * computed stands in base/sigv4.c; which credentials it is made with, in aws_secret.c.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/sigv4.h"
#include "provider/aws/aws.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Regions and accounts */

const char *
bi_aws_region(const BiServer *server)
{
	return server->region ? server->region : "";
}

/* Regions in China have a domain of their own (source: botocore's endpoint rules, 2026-08). */
char *
bi_aws_url(const BiServer *server, const char *service)
{
	const char *region = bi_aws_region(server);

	return psprintf("https://%s.%s.amazonaws.com%s", service, region,
					bi_words_begin(region, "cn-") ? ".cn" : "");
}

/*
 * The ARN of a role is arn:PARTITION:iam::ACCOUNT:role/NAME; the part up to the account is used.
 * AWS accepts a role for a job only from the account of the caller, so role_arn names the account
 * whatever key the mapping has.
 */
char *
bi_aws_account(const BiCall *call, const char *secret)
{
	const char *role = call->server->role_arn ? call->server->role_arn : "";
	const char *end = role;

	for (int colons = 0; *end && (*end != ':' || ++colons < 5); end++)
		;
	return psprintf("%.*s %s", (int) (end - role), role, bi_aws_region(call->server));
}

/* Signatures */

/*
 * S3's bodies are left out of the signature over https, because they are spooled and TLS protects
 * them.  An API key of Bedrock works for Bedrock only: S3 accepts signatures and nothing else
 * (source: botocore, service metadata "httpBearerAuth", 2026-08).
 */
void
bi_aws_sign(const BiCall *call, const char *proof, const char *service, BiExchange *ex)
{
	BiJson	   *json = bi_json_parse_secret(proof, strlen(proof));
	const char *bearer = bi_json_string(bi_json_at(json, "bearer", NULL), NULL);
	const char *access_key = bi_json_string(bi_json_at(json, "AccessKeyId", NULL), NULL);
	const char *secret_key = bi_json_string(bi_json_at(json, "SecretAccessKey", NULL), NULL);
	bool		s3 = bi_words_equal(service, "s3");
	bool		unsigned_body = s3 && bi_words_begin(ex->url, "https://");
	BiSigv4		with = {
		.access_key = access_key ? access_key : "",
		.secret_key = secret_key ? secret_key : "",
		.session_token = bi_json_string(bi_json_at(json, "Token", NULL), NULL),
		.region = bi_aws_region(call->server),
		.service = service,
		.now_unix = call->now,
		.s3 = s3,
		.payload = unsigned_body ? BI_SIGV4_UNSIGNED : BI_SIGV4_BODY,
	};

	if (bearer && !s3)
		bi_wire_bearer(bearer, ex);
	else
		bi_sigv4_sign(ex, &with);
	bi_secret_wipe_json(json);
}

/* Replies */

BiVerdictKind
bi_aws_kind(int status)
{
	if (status == 401 || status == 402 || status == 403)
		return BI_VERDICT_DENIED;
	if (status == 429)
		return BI_VERDICT_DEFER;
	if (status == 404)
		return BI_VERDICT_ABSENT;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_VERDICT_UNCLEAR;
	return BI_VERDICT_REFUSED;
}
