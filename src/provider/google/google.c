/*
 * provider/google/google.c: how a credential of Google's becomes a token, and a token a request's
 * proof.
 *
 * A login has one step or several; the cursor hands the result of one to the next.  Which step
 * follows which, and where a reply has its token, is known here.  Which credential it is,
 * google_secret.c has decided; the requests are google_login.c's, refusals google_reply.c's.
 *
 * Source: npm google-auth-library 10.9 (seen 2026-11).
 */
#include "postgres.h"

#include "provider/google/google.h"
#include "provider/google/google_document.h"
#include "provider/google/google_login.h"
#include "provider/google/google_reply.h"
#include "provider/proof.h"
#include "provider/wire.h"

/* Seconds for which a token is used at most. */
#define DAY (24 * 60 * 60)

/* Steps.  document is the credential; carried is what the cursor holds: the object that the step
 * before handed on, or NULL. */

/* Returns the step of an external account that follows from what is in hand. */
static BiGoogleStep
external_step(const BiJson *document, const BiJson *carried)
{
	const BiJson *source = bi_json_at(document, "credential_source", NULL);

	if (bi_json_at(carried, "bearer", NULL))
		return BI_GOOGLE_IMPERSONATE;
	if (bi_json_at(carried, "subject_token", NULL) || bi_google_document_text(source, "file"))
		return BI_GOOGLE_EXCHANGE;
	return BI_GOOGLE_SUBJECT;
}

/* Returns the step that is next. */
static BiGoogleStep
step_of(const BiJson *document, const BiJson *carried)
{
	const BiJson *type = bi_json_at(document, "type", NULL);

	if (bi_json_equals(type, BI_GOOGLE_EXTERNAL))
		return external_step(document, carried);
	if (bi_json_equals(type, BI_GOOGLE_USER))
		return BI_GOOGLE_REFRESH;
	if (bi_json_equals(type, BI_GOOGLE_INSTANCE))
		return BI_GOOGLE_METADATA;
	return BI_GOOGLE_ASSERT;
}

bool
bi_google_login(const BiCall *call, const char *secret, BiExchange *ex)
{
	BiJson	   *document = bi_json_parse_secret_cstring(secret);
	BiJson	   *carried = bi_json_parse_secret_cstring(call->cursor);

	bi_google_login_request(call, step_of(document, carried), document, carried, ex);
	bi_secret_wipe_json(carried);
	bi_secret_wipe_json(document);
	return true;
}

/* Returns the object {"NAME":"token"}, with one more member if other is not NULL: what one step
 * hands to the next, or to authorize.  Takes over the token. */
static char *
wrap(const char *name, char *token, const char *other_name, const char *other)
{
	char	   *wrapped = bi_proof_object(name, token, other_name, other, NULL);

	bi_secret_wipe(token);
	return wrapped;
}

/* Tokens */

/* Returns the token's lifetime in seconds; 0 if the reply does not say it. */
static int
lifetime_of(const BiCall *call, BiGoogleStep step, const BiJson *reply)
{
	char	   *until = bi_google_document_text(reply, "expireTime");
	int64		seconds = bi_json_int(bi_json_at(reply, "expires_in", NULL), 0);

	if (step == BI_GOOGLE_IMPERSONATE)
		seconds = until ? bi_wire_time(until) - call->now : 0;
	return (int) Min(Max(seconds, 0), DAY);
}

/* Returns the token of a reply, palloc'd; NULL if it has none that can go into a request. */
static char *
token_of(BiGoogleStep step, const BiJson *document, const BiJson *reply, const BiExchange *ex)
{
	char	   *token;

	if (step == BI_GOOGLE_SUBJECT)
		return bi_google_document_subject(bi_json_at(document, "credential_source", NULL),
										  ex->body.data, ex->body.len);
	if (step == BI_GOOGLE_IMPERSONATE)
		token = bi_google_document_text(reply, "accessToken");
	else
		token = bi_google_document_text(reply, "access_token");
	return token && bi_secret_fits(token, strlen(token)) ? token : NULL;
}

/*
 * Returns the token, or an object of it and the project that pays, as some credentials of users
 * need it.  Takes over the token.  Without such a project no header names one: that would need a
 * right of its own.
 */
static char *
make_proof(const BiJson *document, char *token)
{
	char	   *project = bi_google_document_text(document, "quota_project_id");

	return project ? wrap("bearer", token, "project", project) : token;
}

/* Takes the token of a good reply: as the cursor of the next step, or as the login's token. */
static BiVerdict
take_token(const BiCall *call, BiGoogleStep step, const BiJson *document, const BiExchange *ex,
		   char **token, int *lifetime)
{
	BiVerdict	verdict = {BI_VERDICT_OK, NULL, NULL, NULL};
	BiJson	   *reply = bi_json_parse_secret(ex->body.data, ex->body.len);
	char	   *found = token_of(step, document, reply, ex);
	bool		impersonates = bi_json_at(document, "service_account_impersonation_url", NULL);

	if (found == NULL)
		verdict = bi_google_reply_unexpected(ex, "a token");
	else if (step == BI_GOOGLE_SUBJECT)
		verdict.next = wrap("subject_token", found, NULL, NULL);
	else if (step == BI_GOOGLE_EXCHANGE && impersonates)
		verdict.next = wrap("bearer", found, NULL, NULL);
	else
	{
		*token = make_proof(document, found);
		*lifetime = lifetime_of(call, step, reply);
	}
	bi_secret_wipe_json(reply);
	return verdict;
}

BiVerdict
bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token,
					 int *lifetime)
{
	BiJson	   *document = bi_json_parse_secret_cstring(secret);
	BiJson	   *carried = bi_json_parse_secret_cstring(call->cursor);
	BiGoogleStep step = step_of(document, carried);
	BiVerdict	verdict = bi_google_reply_verdict(ex, step);

	*token = NULL;
	*lifetime = 0;
	if (verdict.kind == BI_VERDICT_OK)
		verdict = take_token(call, step, document, ex, token, lifetime);
	bi_secret_wipe_json(carried);
	bi_secret_wipe_json(document);
	return verdict;
}

void
bi_google_bearer(const char *proof, BiExchange *ex)
{
	BiJson	   *json = *proof == '{' ? bi_json_parse_secret_cstring(proof) : NULL;
	char	   *token = bi_google_document_text(json, "bearer");
	char	   *project = bi_google_document_text(json, "project");

	bi_wire_bearer(token ? token : proof, ex);
	if (project)
		bi_exchange_add_header(ex, "x-goog-user-project", project);
	bi_secret_wipe(token);
	bi_secret_wipe_json(json);
}
