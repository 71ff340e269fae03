/*
 * provider/google/google_login.c: the requests of a login at Google.
 *
 * Knows addresses, forms and the claims of an assertion (sources: npm google-auth-library 10.9,
 * gcp-metadata 8.1, seen 2026-11).
 */
#include "postgres.h"

#include "base/jwt.h"
#include "provider/google/google_document.h"
#include "provider/google/google_login.h"
#include "provider/wire.h"
#include "provider/words.h"

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define STS_URL "https://sts.googleapis.com/v1/token"
#define LIFETIME 3600			/* seconds; Google accepts no longer one */
#define URN "urn:ietf:params:oauth:"

/* Azure's metadata service, which gives machines there a subject token. */
#define IDENTITY_URL "http://169.254.169.254/"

/* Returns a member that google_secret.c has checked, palloc'd. */
static char *
required(const BiJson *json, const char *name)
{
	char	   *text = bi_google_document_text(json, name);

	return text ? text : pstrdup("");
}

/* Begins a request to an address that the document gave.  It is asked for no more than the mapping
 * may; otherwise the writer of a document could send the server anywhere. */
static void
begin_document(const BiCall *call, const char *method, const char *url, BiExchange *ex)
{
	bi_exchange_request(ex, method, url);
	ex->allow_http = ex->allow_http && call->server->may_use_host;
}

/* Begins a form: to the server's authority_url and path, else to the address that the document
 * gave, else to otherwise. */
static void
begin_form(const BiCall *call, const char *path, const char *given, const char *otherwise,
		   BiExchange *ex)
{
	const char *authority = call->server->authority_url;

	if (authority)
		bi_exchange_request(ex, "POST", psprintf("%s%s", bi_wire_trimmed(authority), path));
	else
		begin_document(call, "POST", given ? given : otherwise, ex);
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
}

/* Appends a field whose value is a secret, and takes over the value. */
static void
append_secret(StringInfo form, const char *name, char *value)
{
	/* Take all memory now: text that grows leaves copies behind, which nobody wipes. */
	enlargeStringInfo(form, 3 * (int) strlen(value) + 1024);
	bi_wire_append_field(form, name, value);
	bi_secret_wipe(value);
}

/*
 * Returns a signed assertion, palloc'd.  Its audience is the document's token_uri, even if another
 * address is asked: Google checks that the audience is Google's.  Raises an error if the key cannot
 * sign.
 */
static char *
make_assertion(const BiJson *document, const BiExchange *ex, int64 now)
{
	char	   *audience = bi_google_document_text(document, "token_uri");
	char	   *key = required(document, "private_key");
	StringInfoData claims;
	char	   *assertion;

	initStringInfo(&claims);
	appendStringInfoString(&claims, "{\"iss\":");
	bi_json_append_string(&claims, required(document, "client_email"));
	appendStringInfoString(&claims, ",\"scope\":\"" SCOPE "\",\"aud\":");
	bi_json_append_string(&claims, audience ? audience : ex->url);
	appendStringInfo(&claims, ",\"iat\":" INT64_FORMAT ",\"exp\":" INT64_FORMAT "}",
					 now, now + LIFETIME);
	assertion = bi_jwt_sign(key, bi_google_document_text(document, "private_key_id"), claims.data);
	bi_secret_wipe(key);
	if (assertion == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not sign with the private key of the service account")));
	return assertion;
}

/* The steps: each function writes one request. */

static void
assert_account(const BiCall *call, const BiJson *document, BiExchange *ex)
{
	begin_form(call, "/token", bi_google_document_text(document, "token_uri"), TOKEN_URL, ex);
	append_secret(&ex->head, "assertion", make_assertion(document, ex, call->now));
	bi_wire_append_field(&ex->head, "grant_type", URN "grant-type:jwt-bearer");
}

static void
refresh(const BiCall *call, const BiJson *document, BiExchange *ex)
{
	begin_form(call, "/token", bi_google_document_text(document, "token_uri"), TOKEN_URL, ex);
	enlargeStringInfo(&ex->head, BI_SECRET_MAX);
	append_secret(&ex->head, "refresh_token", required(document, "refresh_token"));
	append_secret(&ex->head, "client_secret", required(document, "client_secret"));
	bi_wire_append_field(&ex->head, "client_id", required(document, "client_id"));
	bi_wire_append_field(&ex->head, "grant_type", "refresh_token");
}

static void
ask_metadata(const BiCall *call, const BiJson *document, BiExchange *ex)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url,
					 "%s/computeMetadata/v1/instance/service-accounts/default/token?scopes=",
					 required(document, "url"));
	bi_wire_append_escaped(&url, SCOPE);
	begin_document(call, "GET", url.data, ex);
	bi_exchange_add_header(ex, "Metadata-Flavor", "Google");
	ex->metadata = call->server->may_use_host;
}

static void
ask_subject(const BiCall *call, const BiJson *document, BiExchange *ex)
{
	const BiJson *source = bi_json_at(document, "credential_source", NULL);
	const BiJson *headers = bi_json_at(source, "headers", NULL);
	void	   *place = NULL;
	const char *name;
	BiJson	   *value;

	begin_document(call, "GET", required(source, "url"), ex);
	ex->metadata = call->server->may_use_host && bi_words_begin(ex->url, IDENTITY_URL);
	while (bi_json_next(headers, &place, &name, &value))
		bi_exchange_add_header(ex, name, bi_json_string(value, NULL));
}

static void
exchange_subject(const BiCall *call, const BiJson *document, const BiJson *carried,
				 BiExchange *ex)
{
	char	   *subject = bi_google_document_text(carried, "subject_token");

	begin_form(call, "/v1/token", bi_google_document_text(document, "token_url"), STS_URL, ex);
	append_secret(&ex->head, "subject_token",
				  subject ? subject : required(document, "subject_token"));
	bi_wire_append_field(&ex->head, "grant_type", URN "grant-type:token-exchange");
	bi_wire_append_field(&ex->head, "audience", required(document, "audience"));
	bi_wire_append_field(&ex->head, "scope", SCOPE);
	bi_wire_append_field(&ex->head, "requested_token_type", URN "token-type:access_token");
	bi_wire_append_field(&ex->head, "subject_token_type",
						 required(document, "subject_token_type"));
}

static void
impersonate(const BiCall *call, const BiJson *document, const BiJson *carried, BiExchange *ex)
{
	const BiJson *lifetime = bi_json_at(document, "service_account_impersonation",
										"token_lifetime_seconds", NULL);
	char	   *token = required(carried, "bearer");

	begin_document(call, "POST", required(document, "service_account_impersonation_url"), ex);
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	bi_wire_bearer(token, ex);
	bi_secret_wipe(token);
	ex->has_body = true;
	appendStringInfo(&ex->head,
					 "{\"scope\":[\"" SCOPE "\"],\"lifetime\":\"" INT64_FORMAT "s\"}",
					 bi_json_int(lifetime, LIFETIME));
}

void
bi_google_login_request(const BiCall *call, BiGoogleStep step, const BiJson *document,
						const BiJson *carried, BiExchange *ex)
{
	switch (step)
	{
		case BI_GOOGLE_ASSERT:
			assert_account(call, document, ex);
			break;
		case BI_GOOGLE_REFRESH:
			refresh(call, document, ex);
			break;
		case BI_GOOGLE_METADATA:
			ask_metadata(call, document, ex);
			break;
		case BI_GOOGLE_SUBJECT:
			ask_subject(call, document, ex);
			break;
		case BI_GOOGLE_EXCHANGE:
			exchange_subject(call, document, carried, ex);
			break;
		case BI_GOOGLE_IMPERSONATE:
			impersonate(call, document, carried, ex);
			break;
	}
}
