/*
 * provider/google.c: how a credential of Google's becomes a token, step by step.
 *
 * Knows which step follows which and where a reply has its token.  Which credential it is,
 * google_secret.c has seen to; the requests are google_login.c's, refusals google_reply.c's.
 * Called by the providers that live at Google.
 */
#include "postgres.h"

#include "provider/google.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define DAY (24 * 60 * 60)

char *
bi_google_text(const BiJson *json, const char *name)
{
	const BiJson *member = bi_json_at(json, name, NULL);
	char	   *text = bi_json_string(member, NULL) ? bi_json_cstring(member) : NULL;

	return text && *text ? text : NULL;
}

static BiJson *
parse(const char *text)
{
	return text ? bi_json_parse_secret(text, strlen(text)) : NULL;
}

/* Of federated identities: what is in hand says what is next.  carried is the cursor. */
static BiGoogleStep
external_step(const BiJson *document, const BiJson *carried)
{
	if (bi_json_at(carried, "bearer", NULL))
		return BI_GOOGLE_IMPERSONATE;
	if (bi_json_at(carried, "subject_token", NULL) || bi_google_text(bi_json_at(document, "credential_source", NULL), "file"))
		return BI_GOOGLE_EXCHANGE;
	return BI_GOOGLE_SUBJECT;
}

static BiGoogleStep
step_of(const BiJson *document, const BiJson *carried)
{
	const char *type = bi_json_string(bi_json_at(document, "type", NULL), NULL);

	if (type && strcmp(type, BI_GOOGLE_EXTERNAL) == 0)
		return external_step(document, carried);
	if (type && strcmp(type, BI_GOOGLE_USER) == 0)
		return BI_GOOGLE_REFRESH;
	if (type && strcmp(type, BI_GOOGLE_INSTANCE) == 0)
		return BI_GOOGLE_METADATA;
	return BI_GOOGLE_ASSERT;
}

bool
bi_google_login(const BiCall *call, const char *secret, BiExchange *ex)
{
	BiJson	   *document = parse(secret);
	BiJson	   *carried = parse(call->cursor);

	bi_google_login_request(call, step_of(document, carried), document, carried, ex);
	bi_secret_wipe_json(carried);
	bi_secret_wipe_json(document);
	return true;
}

char *
bi_google_subject(const BiJson *source, const char *text, size_t len)
{
	char	   *field = bi_google_text(bi_json_at(source, "format", NULL), "subject_token_field_name");
	BiJson	   *json = field ? bi_json_parse_secret(text, len) : NULL;
	char	   *token = field ? bi_google_text(json, field) : pnstrdup(text, len);

	bi_secret_wipe_json(json);
	if (token == NULL)
		return NULL;
	for (size_t end = strlen(token); end > 0 && strchr(" \t\r\n", token[end - 1]); end--)
		token[end - 1] = '\0';
	return bi_secret_fits(token, strlen(token)) ? token : NULL;
}

/* {"NAME":"value"…}: what one step hands to the next, or to authorize.  Takes over the token. */
static char *
wrap(const char *name, char *token, const char *other_name, const char *other)
{
	StringInfoData out;

	initStringInfo(&out);
	/* once and for all: what a growing text leaves behind would not be wiped */
	enlargeStringInfo(&out, (int) strlen(token) * 2 + 256);
	appendStringInfo(&out, "{\"%s\":", name);
	bi_json_append_string(&out, token);
	if (other)
	{
		appendStringInfo(&out, ",\"%s\":", other_name);
		bi_json_append_string(&out, other);
	}
	appendStringInfoChar(&out, '}');
	bi_secret_wipe(token);
	return out.data;
}

static int
lifetime_of(const BiCall *call, BiGoogleStep step, const BiJson *reply)
{
	char	   *until = bi_google_text(reply, "expireTime");
	int64		seconds = bi_json_int(bi_json_at(reply, "expires_in", NULL), 0);

	if (step == BI_GOOGLE_IMPERSONATE)
		seconds = until ? bi_wire_time(until) - call->now : 0;
	return (int) Min(Max(seconds, 0), DAY);
}

/* The token of a reply, palloc'd, or NULL. */
static char *
token_of(BiGoogleStep step, const BiJson *document, const BiJson *reply, const BiExchange *ex)
{
	char	   *token;

	if (step == BI_GOOGLE_SUBJECT)
		return bi_google_subject(bi_json_at(document, "credential_source", NULL), ex->body.data, ex->body.len);
	token = bi_google_text(reply, step == BI_GOOGLE_IMPERSONATE ? "accessToken" : "access_token");
	return token && bi_secret_fits(token, strlen(token)) ? token : NULL;
}

/* Some credentials are good only with the name of a project that pays. */
static char *
make_proof(const BiJson *document, char *token)
{
	char	   *project = bi_google_text(document, "quota_project_id");

	return project ? wrap("bearer", token, "project", project) : token;
}

static BiVerdict
take_token(const BiCall *call, BiGoogleStep step, const BiJson *document, const BiExchange *ex, char **token, int *lifetime)
{
	BiVerdict	verdict = {BI_OK, NULL, NULL, NULL};
	BiJson	   *reply = bi_json_parse_secret(ex->body.data, ex->body.len);
	char	   *found = token_of(step, document, reply, ex);

	if (found == NULL)
		verdict = bi_google_reply_unexpected(ex, "a token");
	else if (step == BI_GOOGLE_SUBJECT)
		verdict.next = wrap("subject_token", found, NULL, NULL);
	else if (step == BI_GOOGLE_EXCHANGE && bi_json_at(document, "service_account_impersonation_url", NULL))
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
bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime)
{
	BiJson	   *document = parse(secret);
	BiJson	   *carried = parse(call->cursor);
	BiGoogleStep step = step_of(document, carried);
	BiVerdict	verdict = bi_google_reply_verdict(ex, step);

	*token = NULL;
	*lifetime = 0;
	if (verdict.kind == BI_OK)
		verdict = take_token(call, step, document, ex, token, lifetime);
	bi_secret_wipe_json(carried);
	bi_secret_wipe_json(document);
	return verdict;
}

void
bi_google_bearer(const char *proof, BiExchange *ex)
{
	BiJson	   *json = *proof == '{' ? parse(proof) : NULL;
	char	   *token = bi_google_text(json, "bearer");
	char	   *project = bi_google_text(json, "project");

	bi_openai_request_bearer(token ? token : proof, ex);
	if (project)
		bi_exchange_add_header(ex, "x-goog-user-project", project);
	bi_secret_wipe(token);
	bi_secret_wipe_json(json);
}
