/*
 * provider/aws/aws_login.c: temporary credentials from STS, from a container's endpoint and from an
 * instance's metadata service.
 *
 * Knows their requests and what their replies mean.  Which of them is asked, aws_secret.c has
 * written into the secret.
 *
 * A login has no effect that could be lost.  So a reply that is no success is never unclear: either
 * a person must act (DENIED), or it is tried again later (DEFER).
 *
 * Decided here:
 * - Credentials without an end are asked for again after 15 minutes.
 * - Credentials that have ended are used for a minute: the metadata service hands them on if it
 *   gets nothing newer, and AWS may accept them.
 * - Version 1 of the metadata service is not asked: no request goes there without a session token.
 *
 * Sources: botocore's credentials.py and utils.py (seen 2026-08), npm @aws-sdk/client-sts.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws/aws.h"
#include "provider/aws/aws_login.h"
#include "provider/aws/aws_secret.h"
#include "provider/aws/xml.h"
#include "provider/proof.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Seconds that credentials are used: at most; if their end is not known; if they have ended. */
#define SESSION_MAX (12 * 60 * 60)
#define SESSION_UNKNOWN (15 * 60)
#define SESSION_ENDED 60

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define IMDS "the instance's metadata service"

/* Returns the string that is the member of that name, or NULL. */
static const char *
text_of(const BiJson *json, const char *name)
{
	return bi_json_string(bi_json_at(json, name, NULL), NULL);
}

/* True if the secret says that credentials come from that source. */
static bool
is_from(const BiJson *secret, const char *source)
{
	return bi_words_equal(text_of(secret, "source"), source);
}

/* Requests */

/*
 * Writes AssumeRoleWithWebIdentity, which is not signed.  Members of the secret that aws_secret.c
 * has put there are never missing.
 */
static void
ask_sts(const BiCall *call, const BiJson *secret, BiExchange *ex)
{
	const char *authority = call->server->authority_url;
	const char *token = text_of(secret, "WebIdentityToken");
	const char *role = text_of(secret, "RoleArn");
	const char *session = text_of(secret, "RoleSessionName");
	char	   *base = authority ? bi_wire_trimmed(authority) : bi_aws_url(call->server, "sts");

	bi_exchange_request(ex, "POST", psprintf("%s/", base));
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
	/* Take all memory now: text that grows leaves copies behind, which nobody wipes. */
	enlargeStringInfo(&ex->head,
					  (int) (3 * (strlen(token) + strlen(role) + strlen(session)) + 256));
	bi_wire_append_field(&ex->head, "Action", "AssumeRoleWithWebIdentity");
	bi_wire_append_field(&ex->head, "Version", "2011-06-15");
	bi_wire_append_field(&ex->head, "RoleArn", role);
	bi_wire_append_field(&ex->head, "RoleSessionName", session);
	bi_wire_append_field(&ex->head, "WebIdentityToken", token);
}

/* Writes the request to the credentials endpoint of ECS or EKS. */
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

/*
 * Writes the next of the three requests to an instance's metadata service: for a session token, for
 * the name of the instance's role, for the credentials of that role.  The cursor is an object with
 * what is known already: nothing, "Token", "Token" and "role".
 */
static void
ask_instance(const BiCall *call, const BiJson *secret, BiExchange *ex)
{
	BiJson	   *known = bi_json_parse_secret_cstring(call->cursor);
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
bi_aws_login_request(const BiCall *call, const char *text, BiExchange *ex)
{
	BiJson	   *secret = bi_json_parse_secret_cstring(text);
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

/* Replies */

/* The reply to one request of a login, and where its credentials go.  It lives on the stack of
 * bi_aws_login_read, which owns nothing in it except secret. */
typedef struct Reply
{
	const BiCall *call;
	const BiExchange *ex;
	BiJson	   *secret;			/* as aws_secret.c wrote it */
	char	  **token;			/* set to the proof once there are credentials */
	int		   *lifetime;		/* set to its seconds */
} Reply;

/* Returns a verdict with these words, cut to a sensible length. */
static BiVerdict
fail(const BiExchange *ex, BiVerdictKind kind, const char *code, const char *message)
{
	char	   *words = bi_wire_words(message, strlen(message), BI_WIRE_MESSAGE);

	return bi_verdict_make(ex, kind, code, words);
}

/* Returns DEFER, for a good status with a body that is not what was asked for. */
static BiVerdict
unexpected(const BiExchange *ex, const char *whose)
{
	return fail(ex, BI_VERDICT_DEFER, "unexpected_reply",
				psprintf("%s answered something that is not credentials", whose));
}

/* Returns DENIED or DEFER by the status, for a reply that does not say more. */
static BiVerdictKind
kind_of(const BiExchange *ex)
{
	bool		passes = ex->status >= 500 || ex->status == 429 || ex->status == 408;

	return passes ? BI_VERDICT_DEFER : BI_VERDICT_DENIED;
}

/* Returns DEFER, for an exchange without a whole reply; what says what could not be done. */
static BiVerdict
unanswered(const BiExchange *ex, const char *what)
{
	BiVerdict	verdict = bi_verdict_read(ex);

	return fail(ex, BI_VERDICT_DEFER, verdict.code, psprintf("%s: %s", what, verdict.message));
}

/* Returns for how many seconds credentials with that end may be used. */
static int
lifetime_of(const BiCall *call, const char *expiration)
{
	int64		end = expiration ? bi_wire_time(expiration) : -1;

	if (end < 0)
		return SESSION_UNKNOWN;
	return end > call->now ? (int) Min(end - call->now, SESSION_MAX) : SESSION_ENDED;
}

/* Credentials as a reply has them.  It lives while the reply is read, and its strings belong to the
 * reply's tree; each may be NULL. */
typedef struct Credentials
{
	const char *id;				/* access key id */
	const char *key;			/* secret access key */
	const char *token;			/* session token; not every container gives one */
	const char *expiration;		/* the time of their end, as RFC 3339 writes it */
} Credentials;

/* True if text is there and may go into a header. */
static bool
is_word(const char *text)
{
	return text && bi_secret_fits(text, strlen(text));
}

/* Makes the proof from the credentials that came.  DEFER if one of them cannot be used. */
static BiVerdict
take_credentials(const Reply *reply, const Credentials *given, const char *whose)
{
	const char *bearer = text_of(reply->secret, "bearer");

	if (!is_word(given->id) || !is_word(given->key) || (given->token && !is_word(given->token)))
		return unexpected(reply->ex, whose);
	*reply->token = bi_proof_object("AccessKeyId", given->id, "SecretAccessKey", given->key,
									"Token", given->token, "bearer", bearer, NULL);
	*reply->lifetime = lifetime_of(reply->call, given->expiration);
	return (BiVerdict) {BI_VERDICT_OK};
}

/* Reads the document with credentials, which is the same from a container's endpoint and from an
 * instance's metadata service. */
static BiVerdict
read_document(const Reply *reply, const char *whose)
{
	BiJson	   *json = bi_json_parse_secret(reply->ex->body.data, reply->ex->body.len);
	Credentials given = {
		.id = text_of(json, "AccessKeyId"),
		.key = text_of(json, "SecretAccessKey"),
		.token = text_of(json, "Token"),
		.expiration = text_of(json, "Expiration"),
	};
	BiVerdict	verdict = take_credentials(reply, &given, whose);

	bi_secret_wipe_json(json);
	return verdict;
}

/* STS */

/* Returns why STS gives no credentials, with what a person can do. */
static BiVerdict
refused_by_sts(const Reply *reply)
{
	static const char *const passing[] = {
		"IDPCommunicationError", "Throttling", "RequestLimitExceeded", "ServiceUnavailable",
		"InternalFailure", NULL
	};
	const BiExchange *ex = reply->ex;
	const BiXml *error = bi_xml_child(bi_xml_parse(ex->body.data, ex->body.len), "Error");
	const char *code = bi_xml_text(error, "Code");
	const char *words = bi_xml_text(error, "Message");
	BiVerdictKind kind = bi_words_list(passing, code) ? BI_VERDICT_DEFER : kind_of(ex);
	const char *hint = "";

	if (bi_words_equal(code, "AccessDenied"))
		hint = " (the role's trust policy must name the token's issuer, audience and subject)";
	else if (bi_words_equal(code, "ExpiredTokenException"))
		hint = " (whoever writes the token's file must renew it)";
	if (words == NULL)
		words = psprintf("HTTP status %d", ex->status);
	return fail(ex, kind, code ? bi_wire_words(code, strlen(code), BI_WIRE_CODE) : "http_error",
				psprintf("STS gives no credentials for role %s: %s%s",
						 text_of(reply->secret, "RoleArn"), words, hint));
}

/* Reads the reply to AssumeRoleWithWebIdentity. */
static BiVerdict
read_sts(const Reply *reply)
{
	const BiXml *root = bi_xml_parse(reply->ex->body.data, reply->ex->body.len);
	const BiXml *result = bi_xml_child(root, "AssumeRoleWithWebIdentityResult");
	const BiXml *xml = bi_xml_child(result, "Credentials");
	Credentials given = {
		.id = bi_xml_text(xml, "AccessKeyId"),
		.key = bi_xml_text(xml, "SecretAccessKey"),
		.token = bi_xml_text(xml, "SessionToken"),
		.expiration = bi_xml_text(xml, "Expiration"),
	};
	BiVerdict	verdict;

	if (reply->ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(reply->ex, "could not ask STS for credentials");
	if (reply->ex->status != 200)
		return refused_by_sts(reply);
	verdict = take_credentials(reply, &given, "STS");
	bi_secret_wipe(unconstify(char *, given.key));
	bi_secret_wipe(unconstify(char *, given.token));
	return verdict;
}

/* A container */

/* Reads the reply of the credentials endpoint of ECS or EKS. */
static BiVerdict
read_container(const Reply *reply)
{
	const char *whose = "the container's credentials endpoint";
	const char *hint = "";
	BiVerdictKind kind = kind_of(reply->ex);
	char	   *words;

	if (reply->ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(reply->ex, psprintf("could not ask %s", whose));
	if (reply->ex->status == 200)
		return read_document(reply, whose);
	words = bi_wire_json_words(bi_json_at(bi_wire_body(reply->ex), "message", NULL),
							   BI_WIRE_MESSAGE);
	if (words == NULL)
		words = psprintf("HTTP status %d", reply->ex->status);
	if (kind == BI_VERDICT_DENIED)
		hint = " (the task needs a role, the service account an association with one)";
	return fail(reply->ex, kind, "no_credentials",
				psprintf("%s gives none: %s%s", whose, words, hint));
}

/* An instance */

/*
 * Returns why the metadata service gave nothing.  first: the session token was asked for.  role:
 * that role's credentials were asked for, or NULL.
 */
static BiVerdict
refused_by_instance(const BiExchange *ex, bool first, const char *role)
{
	BiVerdictKind kind = kind_of(ex);

	/* The session token has ended, or the role was changed between two requests. */
	if (!first && (ex->status == 401 || role))
		kind = BI_VERDICT_DEFER;
	if (first && ex->status == 403)
		return fail(ex, BI_VERDICT_DENIED, "no_credentials",
					IMDS " is switched off for this instance");
	if (!first && role == NULL && ex->status == 404)
		return fail(ex, BI_VERDICT_DENIED, "no_credentials",
					"the instance has no role: an instance profile must be attached to it");
	return fail(ex, kind, "no_credentials",
				psprintf(IMDS " gives no credentials: HTTP status %d", ex->status));
}

/* Returns the next cursor, palloc'd: known with what the reply adds.  NULL if the reply is neither
 * a token nor a role's name. */
static char *
next_cursor(const BiJson *known, const BiExchange *ex)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-";
	char	   *line = pnstrdup(ex->body.data, strcspn(ex->body.data, "\r\n"));
	char	   *cursor = NULL;

	if (known == NULL && bi_secret_fits(line, strlen(line)))
		cursor = bi_proof_object("Token", line, NULL);
	else if (known && line[strspn(line, letters)] == '\0' && *line)
		cursor = bi_proof_object("Token", text_of(known, "Token"), "role", line, NULL);
	bi_secret_wipe(line);
	return cursor;
}

/* Reads one of the three replies of the metadata service; known is what the cursor had. */
static BiVerdict
take_instance(const Reply *reply, const BiJson *known)
{
	const BiExchange *ex = reply->ex;
	const char *role = text_of(known, "role");
	BiVerdict	verdict = {BI_VERDICT_OK};
	BiJson	   *json;
	char	   *code;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return unanswered(ex, "could not ask " IMDS);
	if (ex->status != 200)
		return refused_by_instance(ex, known == NULL, role);
	if (role == NULL)
	{
		verdict.next = next_cursor(known, ex);
		return verdict.next ? verdict : unexpected(ex, IMDS);
	}
	json = bi_json_parse_secret(ex->body.data, ex->body.len);
	code = bi_wire_json_words(bi_json_at(json, "Code", NULL), BI_WIRE_CODE);
	bi_secret_wipe_json(json);
	if (code && strcmp(code, "Success") != 0)
		return fail(ex, BI_VERDICT_DENIED, code,
					psprintf("EC2 cannot take on role %s of the instance: "
							 "its trust policy must name ec2.amazonaws.com", role));
	return read_document(reply, IMDS);
}

/*
 * Reads a reply of the metadata service.  If the mapping does not say that the machine is an
 * instance, an address that does not answer means that it is not one: no credentials were found.
 */
static BiVerdict
read_instance(const Reply *reply)
{
	BiJson	   *known = bi_json_parse_secret_cstring(reply->call->cursor);
	BiVerdict	verdict = take_instance(reply, known);
	const char *before = text_of(reply->secret, "before");
	bool		unsent = reply->ex->transport == BI_TRANSPORT_UNSENT;

	if (before && (verdict.kind == BI_VERDICT_DENIED || unsent))
		verdict = fail(reply->ex, BI_VERDICT_DENIED, "no_credentials",
					   psprintf("no credentials found: looked at %s; %s", before, verdict.message));
	else if (reply->ex->transport == BI_TRANSPORT_BROKEN)
		verdict.message = psprintf("%s (in a container, the response hop limit of the instance "
								   "must be 2)", verdict.message);
	bi_secret_wipe_json(known);
	return verdict;
}

BiVerdict
bi_aws_login_read(const BiCall *call, const char *text, const BiExchange *ex, char **token,
				  int *lifetime)
{
	Reply		reply = {call, ex, bi_json_parse_secret_cstring(text), token, lifetime};
	BiVerdict	verdict;

	*token = NULL;
	*lifetime = 0;
	if (is_from(reply.secret, BI_AWS_WEB_IDENTITY))
		verdict = read_sts(&reply);
	else if (is_from(reply.secret, BI_AWS_CONTAINER))
		verdict = read_container(&reply);
	else
		verdict = read_instance(&reply);
	bi_secret_wipe_json(reply.secret);
	return verdict;
}
