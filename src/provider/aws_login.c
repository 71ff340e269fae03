/*
 * provider/aws_login.c: who gives credentials for a while: STS, a container's endpoint, an
 * instance's metadata service.
 *
 * Knows their requests, and what their replies mean for whom.  What is asked of whom,
 * aws_secret.c has written down.  Called by the providers that live at AWS.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws.h"
#include "provider/openai.h"
#include "provider/wire.h"
#include "provider/xml.h"

#define SESSION_MAX (12 * 60 * 60)
#define SESSION_UNKNOWN (15 * 60)
#define SESSION_ENDED 60		/* IMDS hands that on where it gets nothing newer, and it may do */
#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"

static const char *
text_of(const BiJson *json, const char *name)
{
	return bi_json_string(bi_json_at(json, name, NULL), NULL);
}

static BiJson *
parse(const char *text)
{
	return text ? bi_json_parse(text, strlen(text)) : NULL;
}

static bool
is_from(const BiJson *secret, const char *source)
{
	const char *from = text_of(secret, "source");

	return from && strcmp(from, source) == 0;
}

/* ---- requests ---- */

static void
ask_sts(const BiCall *call, const BiJson *secret, BiExchange *ex)
{
	const char *authority = call->server->authority_url;
	const char *token = text_of(secret, "WebIdentityToken");

	bi_exchange_request(ex, "POST", psprintf("%s/", authority ? bi_wire_trimmed(authority) : bi_aws_url(call->server, "sts")));
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
	/* once and for all: what a growing text leaves behind would not be wiped */
	enlargeStringInfo(&ex->head, (int) (3 * strlen(token) + 3 * strlen(text_of(secret, "RoleArn")) +
										3 * strlen(text_of(secret, "RoleSessionName")) + 256));
	bi_wire_append_field(&ex->head, "Action", "AssumeRoleWithWebIdentity");
	bi_wire_append_field(&ex->head, "Version", "2011-06-15");
	bi_wire_append_field(&ex->head, "RoleArn", text_of(secret, "RoleArn"));
	bi_wire_append_field(&ex->head, "RoleSessionName", text_of(secret, "RoleSessionName"));
	bi_wire_append_field(&ex->head, "WebIdentityToken", token);
}

static void
ask_container(const BiJson *secret, BiExchange *ex)
{
	const char *authorization = text_of(secret, "authorization");

	ex->metadata = true;
	bi_exchange_request(ex, "GET", text_of(secret, "url"));
	bi_exchange_add_header(ex, "Accept", "application/json");
	if (authorization)
		bi_exchange_add_header(ex, "Authorization", authorization);
}

/* First a token for the questions, then the role's name, then its credentials: the cursor has
 * what is known already. */
static void
ask_instance(const BiCall *call, const BiJson *secret, BiExchange *ex)
{
	BiJson	   *known = parse(call->cursor);
	const char *role = text_of(known, "role");
	char	   *url = bi_wire_trimmed(text_of(secret, "url"));

	ex->metadata = true;
	if (known == NULL)
	{
		bi_exchange_request(ex, "PUT", psprintf("%s/latest/api/token", url));
		bi_exchange_add_header(ex, "x-aws-ec2-metadata-token-ttl-seconds", "300");
		return;
	}
	bi_exchange_request(ex, "GET", psprintf("%s" ROLES_PATH "%s", url, role ? role : ""));
	bi_exchange_add_header(ex, "x-aws-ec2-metadata-token", text_of(known, "Token"));
	bi_secret_wipe_json(known);
}

bool
bi_aws_login(const BiCall *call, const char *text, BiExchange *ex)
{
	BiJson	   *secret = parse(text);
	bool		asked = true;

	if (is_from(secret, BI_AWS_WEB_IDENTITY))
		ask_sts(call, secret, ex);
	else if (is_from(secret, BI_AWS_CONTAINER))
		ask_container(secret, ex);
	else if (is_from(secret, BI_AWS_INSTANCE))
		ask_instance(call, secret, ex);
	else
		asked = false;
	bi_secret_wipe_json(secret);
	return asked;
}

/* ---- replies ---- */

/* A login has no effect that could be lost: a person must act (DENIED), or it is tried again
 * later (DEFER). */
static BiVerdict
fail(BiVerdictKind kind, const char *code, char *message)
{
	return (BiVerdict) {kind, pstrdup(code), bi_wire_words(message, strlen(message), BI_WIRE_MESSAGE)};
}

static BiVerdict
unexpected(const char *whose)
{
	return fail(BI_DEFER, "unexpected_reply", psprintf("%s answered something that is not credentials", whose));
}

/* Which it is, where the reply itself does not tell. */
static BiVerdictKind
kind_of(const BiExchange *ex)
{
	return ex->status >= 500 || ex->status == 429 || ex->status == 408 ? BI_DEFER : BI_DENIED;
}

static BiVerdict
unanswered(const BiExchange *ex, const char *whose)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	return fail(BI_DEFER, verdict.code, psprintf("%s: %s", whose, verdict.message));
}

/* Seconds. */
static int
lifetime_of(const BiCall *call, const char *expiration)
{
	int64		end = expiration ? bi_wire_time(expiration) : -1;

	if (end < 0)
		return SESSION_UNKNOWN;
	return end > call->now ? (int) Min(end - call->now, SESSION_MAX) : SESSION_ENDED;
}

/* As somebody gave them; any may be NULL. */
typedef struct Credentials
{
	const char *id;
	const char *key;
	const char *token;			/* not all containers give one */
	const char *expiration;
} Credentials;

static bool
is_word(const char *text)
{
	return text && bi_secret_fits(text, strlen(text));
}

/* The proof, where all that came may be used. */
static BiVerdict
take_credentials(const BiCall *call, const BiJson *secret, const Credentials *given, const char *whose, char **token, int *lifetime)
{
	if (!is_word(given->id) || !is_word(given->key) || (given->token && !is_word(given->token)))
		return unexpected(whose);
	*token = bi_aws_object("AccessKeyId", given->id, "SecretAccessKey", given->key, "Token", given->token,
						   "bearer", text_of(secret, "bearer"), NULL);
	*lifetime = lifetime_of(call, given->expiration);
	return (BiVerdict) {BI_OK};
}

/* What container and instance answer alike. */
static BiVerdict
read_document(const BiCall *call, const BiJson *secret, const BiExchange *ex, const char *whose, char **token, int *lifetime)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	Credentials given = {
		text_of(json, "AccessKeyId"), text_of(json, "SecretAccessKey"), text_of(json, "Token"), text_of(json, "Expiration")
	};
	BiVerdict	verdict = take_credentials(call, secret, &given, whose, token, lifetime);

	bi_secret_wipe_json(json);
	return verdict;
}

/* ---- STS ---- */

static BiVerdict
refused_by_sts(const BiJson *secret, const BiExchange *ex)
{
	static const char *const passing[] = {"IDPCommunicationError", "Throttling", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"};
	const BiXml *error = bi_xml_child(bi_xml_parse(ex->body.data, ex->body.len), "Error");
	const char *code = bi_xml_text(error, "Code");
	const char *words = bi_xml_text(error, "Message");
	BiVerdictKind kind = kind_of(ex);
	const char *hint = "";

	for (int i = 0; code && i < lengthof(passing); i++)
		if (strcmp(code, passing[i]) == 0)
			kind = BI_DEFER;
	if (code && strcmp(code, "AccessDenied") == 0)
		hint = " (the role's trust policy must name the token's issuer, audience and subject)";
	else if (code && strcmp(code, "ExpiredTokenException") == 0)
		hint = " (who writes the token's file must renew it)";
	return fail(kind, code ? bi_wire_words(code, strlen(code), BI_WIRE_CODE) : "http_error",
				psprintf("STS gives no credentials for role %s: %s%s", text_of(secret, "RoleArn"),
						 words ? words : psprintf("HTTP status %d", ex->status), hint));
}

static BiVerdict
read_sts(const BiCall *call, const BiJson *secret, const BiExchange *ex, char **token, int *lifetime)
{
	const BiXml *reply = bi_xml_parse(ex->body.data, ex->body.len);
	const BiXml *given = bi_xml_child(bi_xml_child(reply, "AssumeRoleWithWebIdentityResult"), "Credentials");
	Credentials credentials = {
		bi_xml_text(given, "AccessKeyId"), bi_xml_text(given, "SecretAccessKey"), bi_xml_text(given, "SessionToken"), bi_xml_text(given, "Expiration")
	};
	BiVerdict	verdict;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(ex, "could not ask STS for credentials");
	if (ex->status != 200)
		return refused_by_sts(secret, ex);
	verdict = take_credentials(call, secret, &credentials, "STS", token, lifetime);
	bi_secret_wipe(unconstify(char *, credentials.key));
	bi_secret_wipe(unconstify(char *, credentials.token));
	return verdict;
}

/* ---- a container ---- */

static BiVerdict
read_container(const BiCall *call, const BiJson *secret, const BiExchange *ex, char **token, int *lifetime)
{
	const char *whose = "the container's credentials endpoint";
	BiVerdictKind kind = kind_of(ex);
	BiJson	   *json;
	char	   *words;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(ex, psprintf("could not ask %s", whose));
	if (ex->status == 200)
		return read_document(call, secret, ex, whose, token, lifetime);
	json = bi_json_parse(ex->body.data, ex->body.len);
	words = bi_wire_json_words(bi_json_at(json, "message", NULL), BI_WIRE_MESSAGE);
	return fail(kind, "no_credentials",
				psprintf("%s gives none: %s%s", whose, words ? words : psprintf("HTTP status %d", ex->status),
						 kind == BI_DENIED ? " (the task needs a role, the service account an association with one)" : ""));
}

/* ---- an instance ---- */

#define IMDS "the instance's metadata service"

static BiVerdict
refused_by_instance(const BiExchange *ex, bool first, const char *role)
{
	BiVerdictKind kind = kind_of(ex);

	/* the token for the questions has ended, or the role was changed while we asked */
	if (!first && (ex->status == 401 || role))
		kind = BI_DEFER;
	if (first && ex->status == 403)
		return fail(BI_DENIED, "no_credentials", pstrdup(IMDS " is switched off for this instance"));
	if (!first && role == NULL && ex->status == 404)
		return fail(BI_DENIED, "no_credentials", pstrdup("the instance has no role: an instance profile must be attached to it"));
	return fail(kind, "no_credentials", psprintf(IMDS " gives no credentials: HTTP status %d", ex->status));
}

/* The cursor behind this one; NULL where text is none that it could have. */
static char *
next_cursor(const BiJson *known, const BiExchange *ex)
{
	char	   *line = pnstrdup(ex->body.data, strcspn(ex->body.data, "\r\n"));
	char	   *cursor = NULL;

	if (known == NULL && bi_secret_fits(line, strlen(line)))
		cursor = bi_aws_object("Token", line, NULL);
	else if (known && line[strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-")] == '\0' && *line)
		cursor = bi_aws_object("Token", text_of(known, "Token"), "role", line, NULL);
	bi_secret_wipe(line);
	return cursor;
}

static BiVerdict
take_instance(const BiCall *call, const BiJson *secret, const BiExchange *ex, const BiJson *known, char **token, int *lifetime)
{
	const char *role = text_of(known, "role");
	BiVerdict	verdict = {BI_OK};
	BiJson	   *json;
	char	   *code;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(ex, "could not ask " IMDS);
	if (ex->status != 200)
		return refused_by_instance(ex, known == NULL, role);
	if (role == NULL)
	{
		verdict.next = next_cursor(known, ex);
		return verdict.next ? verdict : unexpected(IMDS);
	}
	json = bi_json_parse(ex->body.data, ex->body.len);
	code = bi_wire_json_words(bi_json_at(json, "Code", NULL), BI_WIRE_CODE);
	bi_secret_wipe_json(json);
	if (code && strcmp(code, "Success") != 0)
		return fail(BI_DENIED, code, psprintf("EC2 cannot take on role %s of the instance: its trust policy must name ec2.amazonaws.com", role));
	return read_document(call, secret, ex, IMDS, token, lifetime);
}

/* Where nobody said that it is an instance, one that does not answer is none. */
static BiVerdict
read_instance(const BiCall *call, const BiJson *secret, const BiExchange *ex, char **token, int *lifetime)
{
	BiJson	   *known = parse(call->cursor);
	BiVerdict	verdict = take_instance(call, secret, ex, known, token, lifetime);
	const char *before = text_of(secret, "before");

	if (before && (verdict.kind == BI_DENIED || ex->transport == BI_TRANSPORT_UNSENT))
		verdict = fail(BI_DENIED, "no_credentials", psprintf("no credentials found: looked at %s; %s", before, verdict.message));
	else if (ex->transport == BI_TRANSPORT_BROKEN)
		verdict.message = psprintf("%s (in a container, the response hop limit of the instance must be 2)", verdict.message);
	bi_secret_wipe_json(known);
	return verdict;
}

BiVerdict
bi_aws_read_login(const BiCall *call, const char *text, const BiExchange *ex, char **token, int *lifetime)
{
	BiJson	   *secret = parse(text);
	BiVerdict	verdict;

	*token = NULL;
	*lifetime = 0;
	if (is_from(secret, BI_AWS_WEB_IDENTITY))
		verdict = read_sts(call, secret, ex, token, lifetime);
	else if (is_from(secret, BI_AWS_CONTAINER))
		verdict = read_container(call, secret, ex, token, lifetime);
	else
		verdict = read_instance(call, secret, ex, token, lifetime);
	bi_secret_wipe_json(secret);
	return verdict;
}
