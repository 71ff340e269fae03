/*
 * provider/google.c: how a credential of Google's becomes a token.
 *
 * Knows the token endpoint and what its replies mean.  Which credential it is, google_secret.c
 * has seen to.  Called by the providers that live at Google.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/jwt.h"
#include "provider/google.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define LIFETIME 3600
#define DAY (24 * 60 * 60)

static BiJson *
parse(const char *text)
{
	return bi_json_parse(text, strlen(text));
}

static char *
text_of(const BiJson *json, const char *name)
{
	return bi_json_cstring(bi_json_at(json, name, NULL));
}

/* Where the server does not say it, the document does: then only as the mapping may. */
static void
begin_form(const BiCall *call, const char *path, const char *given, const char *otherwise, BiExchange *ex)
{
	const char *authority = call->server->authority_url;

	if (authority)
		bi_exchange_request(ex, "POST", psprintf("%s%s", bi_wire_trimmed(authority), path));
	else
	{
		bi_exchange_request(ex, "POST", given ? given : otherwise);
		ex->allow_http = ex->allow_http && call->server->may_use_host;
	}
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
}

/* Google wants its own address as the audience, wherever it is asked. */
static char *
make_assertion(const BiJson *document, const BiExchange *ex, int64 now)
{
	char	   *audience = text_of(document, "token_uri");
	char	   *key = text_of(document, "private_key");
	StringInfoData claims;
	char	   *assertion;

	initStringInfo(&claims);
	appendStringInfoString(&claims, "{\"iss\":");
	bi_json_append_string(&claims, text_of(document, "client_email"));
	appendStringInfoString(&claims, ",\"scope\":\"" SCOPE "\",\"aud\":");
	bi_json_append_string(&claims, audience ? audience : ex->url);
	appendStringInfo(&claims, ",\"iat\":" INT64_FORMAT ",\"exp\":" INT64_FORMAT "}", now, now + LIFETIME);
	assertion = bi_jwt_sign(key, text_of(document, "private_key_id"), claims.data);
	bi_secret_wipe(key);
	if (assertion == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not sign with the private key of the service account")));
	return assertion;
}

static void
login_service_account(const BiCall *call, const BiJson *document, BiExchange *ex)
{
	char	   *assertion;

	begin_form(call, "/token", text_of(document, "token_uri"), TOKEN_URL, ex);
	assertion = make_assertion(document, ex, call->now);
	/* once and for all: what a growing text leaves behind would not be wiped */
	enlargeStringInfo(&ex->head, (int) strlen(assertion) + 256);
	bi_wire_append_field(&ex->head, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
	bi_wire_append_field(&ex->head, "assertion", assertion);
	bi_secret_wipe(assertion);
}

bool
bi_google_login(const BiCall *call, const char *secret, BiExchange *ex)
{
	login_service_account(call, parse(secret), ex);
	return true;
}

/* A login has no effect that could be lost: a person must act, or it is tried again later. */
static BiVerdict
refused_login(const BiExchange *ex, BiVerdict verdict)
{
	BiJson	   *json = ex->transport == BI_TRANSPORT_REPLIED ? bi_json_parse(ex->body.data, ex->body.len) : NULL;
	char	   *code = bi_wire_json_words(bi_json_at(json, "error", NULL), BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(bi_json_at(json, "error_description", NULL), BI_WIRE_MESSAGE);
	bool		final = verdict.kind == BI_REFUSED || verdict.kind == BI_ABSENT || verdict.kind == BI_DENIED;

	verdict.kind = final ? BI_DENIED : BI_DEFER;
	if (code && message)
	{
		verdict.code = code;
		verdict.message = message;
	}
	return verdict;
}

BiVerdict
bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json;

	*token = NULL;
	*lifetime = 0;
	if (verdict.kind != BI_OK)
		return refused_login(ex, verdict);
	json = bi_json_parse(ex->body.data, ex->body.len);
	*token = text_of(json, "access_token");
	*lifetime = (int) Min(Max(bi_json_int(bi_json_at(json, "expires_in", NULL), 0), 0), DAY);
	if (*token && bi_secret_fits(*token, strlen(*token)))
		return verdict;
	*token = NULL;
	verdict = bi_openai_reply_unexpected(ex, "a token");
	verdict.kind = BI_DEFER;
	return verdict;
}

void
bi_google_bearer(const char *proof, BiExchange *ex)
{
	bi_openai_request_bearer(proof, ex);
}
