/*
 * provider/aws.c: who we are at AWS: signatures.
 *
 * Knows regions, accounts, addresses, and which requests are signed how.  Called by the providers that
 * live at AWS.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/sigv4.h"
#include "provider/aws.h"
#include "provider/openai.h"

const char *
bi_aws_region(const BiServer *server)
{
	return server->region ? server->region : "";
}

/* China has a domain of its own. */
char *
bi_aws_url(const BiServer *server, const char *service)
{
	const char *region = bi_aws_region(server);

	return psprintf("https://%s.%s.amazonaws.com%s", service, region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* arn:PARTITION:iam::ACCOUNT:role/NAME, as far as the account. */
char *
bi_aws_account(const BiCall *call, const char *secret)
{
	const char *role = call->server->role_arn ? call->server->role_arn : "";
	const char *end = role;

	for (int colons = 0; *end && (*end != ':' || ++colons < 5); end++)
		;
	return psprintf("%.*s %s", (int) (end - role), role, bi_aws_region(call->server));
}

void
bi_aws_sign(const BiCall *call, const char *proof, const char *service, BiExchange *ex)
{
	BiJson	   *json = bi_json_parse(proof, strlen(proof));
	const char *bearer = bi_json_string(bi_json_at(json, "bearer", NULL), NULL);
	const char *access_key = bi_json_string(bi_json_at(json, "AccessKeyId", NULL), NULL);
	const char *secret_key = bi_json_string(bi_json_at(json, "SecretAccessKey", NULL), NULL);
	bool		s3 = strcmp(service, "s3") == 0;
	BiSigv4		with = {
		.access_key = access_key ? access_key : "",
		.secret_key = secret_key ? secret_key : "",
		.session_token = bi_json_string(bi_json_at(json, "Token", NULL), NULL),
		.region = bi_aws_region(call->server),
		.service = service,
		.now_unix = call->now,
		.s3 = s3,
		.payload = s3 && strncmp(ex->url, "https://", 8) == 0 ? BI_SIGV4_UNSIGNED : BI_SIGV4_BODY,
	};

	if (bearer && !s3)
		bi_openai_request_bearer(bearer, ex);
	else
		bi_sigv4_sign(ex, &with);
	bi_secret_wipe_json(json);
}

static size_t
object_size(const char *name, va_list members)
{
	size_t		size = 3;

	for (; name; name = va_arg(members, const char *))
	{
		const char *value = va_arg(members, const char *);

		size += value ? strlen(name) + bi_json_string_size(value) + 4 : 0;
	}
	return size;
}

static void
append_members(StringInfo out, const char *name, va_list members)
{
	for (; name; name = va_arg(members, const char *))
	{
		const char *value = va_arg(members, const char *);

		if (value == NULL)
			continue;
		appendStringInfo(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
		bi_json_append_string(out, value);
	}
}

char *
bi_aws_object(const char *name,...)
{
	StringInfoData out;
	va_list		members;

	initStringInfo(&out);
	/* once and for all: what a growing text leaves behind would not be wiped */
	va_start(members, name);
	enlargeStringInfo(&out, (int) object_size(name, members));
	va_end(members);
	appendStringInfoChar(&out, '{');
	va_start(members, name);
	append_members(&out, name, members);
	va_end(members);
	appendStringInfoChar(&out, '}');
	return out.data;
}
