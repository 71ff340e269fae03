/*
 * provider/openai_reply.c: what OpenAI's replies mean.
 *
 * Knows status codes, error bodies and the words for load and money, as OpenAI and
 * its relatives really send them: any member may be null, missing or of a wrong type.
 * Knows no request and no batch.  Called by openai.c, openai_batch.c, openai_line.c.
 */
#include "postgres.h"

#include "provider/openai.h"
#include "provider/wire.h"

#define ID_MAX 1024
#define TOKENS "token_limit_exceeded"

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; word && *words; words++)
		if (pg_strcasecmp(word, *words) == 0)
			return true;
	return false;
}

bool
bi_openai_reply_is_billing(const char *code)
{
	static const char *const codes[] = {
		"insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
		"project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
		"billing_not_active", NULL
	};

	return is_one_of(code, codes);
}

/* Does text contain the word, in any case of letters? */
static bool
contains(const char *text, const char *word)
{
	size_t		len = strlen(word);

	for (; text && *text; text++)
		if (pg_strncasecmp(text, word, len) == 0)
			return true;
	return false;
}

bool
bi_openai_reply_is_transient(const char *code, const char *message)
{
	static const char *const codes[] = {
		TOKENS, "rate_limit_exceeded", "rate_limit_error", "slow_down", "too_many_requests",
		"server_error", "internal_error", "internal_server_error", "server_is_overloaded", "overloaded",
		"service_unavailable", "service_unavailable_error", "request_timeout", NULL
	};
	static const char *const words[] = {
		"enqueued", "rate limit", "billing", "credit", "quota",
		"server error", "internal error", "overloaded", "service unavailable", "temporarily unavailable", NULL
	};

	if (is_one_of(code, codes) || bi_openai_reply_is_billing(code))
		return true;
	for (int i = 0; words[i]; i++)
		if (contains(message, words[i]))
			return true;
	return false;
}

static BiVerdict
verdict(BiVerdictKind kind, const char *code, const char *message)
{
	return (BiVerdict) {kind, pstrdup(code), pstrdup(message)};
}

/* No whole reply came. */
static BiVerdict
transport_verdict(const BiExchange *ex)
{
	static const struct
	{
		const char *code;
		const char *message;
	}			causes[] =
	{
		[BI_CAUSE_NONE] = {"no_reply", "no reply"},
		[BI_CAUSE_RESOLVE] = {"unreachable", "could not resolve the host name"},
		[BI_CAUSE_CONNECT] = {"unreachable", "could not connect"},
		[BI_CAUSE_CERTIFICATE] = {"bad_certificate", "could not verify the server's certificate"},
		[BI_CAUSE_DENIED] = {"denied_address", "this address may not be asked"},
		[BI_CAUSE_STALLED] = {"stalled", "no bytes came for too long"},
		[BI_CAUSE_CUT] = {"cut_off", "the connection ended early"},
		[BI_CAUSE_TOO_LARGE] = {"reply_too_large", "the reply is too large"},
		[BI_CAUSE_LIMIT] = {BI_RESULTS_TOO_LARGE, "the results are too large"},
		[BI_CAUSE_STOPPED] = {"stopped", "the exchange was ended"},
		[BI_CAUSE_LOCAL] = {"local_error", "could not read or write a temporary file"},
	};
	char	   *detail = ex->detail ? bi_wire_words(ex->detail, strlen(ex->detail), BI_WIRE_MESSAGE) : NULL;

	return verdict(ex->transport == BI_TRANSPORT_UNSENT ? BI_DEFER : BI_UNCLEAR,
				   causes[ex->cause].code, detail && *detail ? detail : causes[ex->cause].message);
}

static BiJson *
parse_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

static bool
is_html(const BiExchange *ex)
{
	const char *body = ex->body.data + strspn(ex->body.data, " \t\r\n");

	return *body == '<' || bi_exchange_reply_is_page(ex);
}

/* The words where a body that is no error object has them: in "error", in "detail" (a text,
 * or FastAPI's list), or it is a text itself. */
static char *
read_plain_words(const BiJson *json)
{
	const BiJson *detail = bi_json_at(json, "detail", NULL);
	const BiJson *places[] = {bi_json_at(json, "error", NULL), detail, bi_json_at(bi_json_item(detail, 0), "msg", NULL), json};
	char	   *words = NULL;

	for (int i = 0; words == NULL && i < lengthof(places); i++)
		words = bi_wire_json_words(places[i], BI_WIRE_MESSAGE);
	return words;
}

/* {"error":{"code","type","message"}} and its simpler cousins; some put it in a list. */
static void
read_error(const BiExchange *ex, char **code, char **type, char **message)
{
	BiJson	   *json = parse_body(ex);
	const BiJson *whole = bi_json_type(json) == BI_JSON_ARRAY ? bi_json_item(json, 0) : json;
	const BiJson *error = bi_json_at(whole, "error", NULL);

	if (bi_json_type(error) != BI_JSON_OBJECT)
		error = whole;
	*code = contains(ex->body.data, TOKENS) ? pstrdup(TOKENS)	/* at any place */
		: bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	*type = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	*message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = read_plain_words(whole);
	if (*message == NULL && json == NULL && !is_html(ex) && ex->body.len > 0)
		*message = bi_wire_words(ex->body.data, ex->body.len, BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = psprintf("HTTP status %d%s", ex->status, is_html(ex) ? " with an HTML page" : "");
}

/* A file that was uploaded just now may not be seen yet. */
static bool
is_unseen_file(const char *message)
{
	return contains(message, "cannot find file") || contains(message, "does not have access") ||
		contains(message, "only files with status");
}

/* Azure looks at a file before it takes it: not yet, or, where that went wrong, never. */
static bool
is_unready_file(const char *message)
{
	return contains(message, "only files with status") && !contains(message, "'error' state");
}

/* No room for this batch or file now. */
static bool
is_full(const char *code)
{
	static const char *const codes[] = {TOKENS, "quotaExceeded", NULL};

	return is_one_of(code, codes);
}

static BiVerdictKind
status_kind(const BiExchange *ex, const char *code, const char *type, const char *message)
{
	int			status = ex->status;

	if (status >= 200 && status <= 299)
		return BI_OK;
	if (status == 401 || status == 402 || status == 403)
		return BI_DENIED;
	if (status == 429)
		return bi_openai_reply_is_billing(code) || bi_openai_reply_is_billing(type) ? BI_DENIED : BI_DEFER;
	if (status < 400 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_UNCLEAR;
	if (status == 413)
		return BI_REFUSED;
	if (is_html(ex))
		return BI_UNCLEAR;		/* not the provider's own words, as a redirect is not */
	if (status == 404)
		return BI_ABSENT;
	if (bi_openai_reply_is_billing(code))
		return BI_DENIED;
	if (is_full(code))
		return BI_DEFER;
	if (is_unready_file(message))
		return BI_NOT_YET;
	return is_unseen_file(message) ? BI_ABSENT : BI_REFUSED;
}

/* True if the request went to /files, /batches or /models of the host itself: OpenAI's own
 * address, and that of servers like it, ends in /v1. */
static bool
lacks_version(const BiExchange *ex)
{
	static const char *const roots[] = {"/files", "/batches", "/models"};
	const char *host = ex->url ? strstr(ex->url, "://") : NULL;
	const char *path = host ? strchr(host + 3, '/') : NULL;

	for (int i = 0; path && i < lengthof(roots); i++)
		if (strncmp(path, roots[i], strlen(roots[i])) == 0)
			return true;
	return false;
}

BiVerdict
bi_openai_reply_verdict(const BiExchange *ex)
{
	char	   *code;
	char	   *type;
	char	   *message;
	BiVerdictKind kind;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return transport_verdict(ex);
	if (ex->status >= 200 && ex->status <= 299)
		return (BiVerdict) {BI_OK, NULL, NULL};
	read_error(ex, &code, &type, &message);
	kind = status_kind(ex, code, type, message);
	if (ex->status >= 300 && ex->status <= 399)
		return verdict(kind, "redirect", psprintf("HTTP status %d: redirects are not followed", ex->status));
	if (code == NULL)
		code = type ? type : psprintf("http_%d", ex->status);
	if (ex->status == 404 && lacks_version(ex))
		message = psprintf("%s (base_url has no path; should it end in /v1?)", message);
	return verdict(kind, code, message);
}

BiVerdict
bi_openai_reply_unexpected(const BiExchange *ex, const char *wanted)
{
	return verdict(BI_UNCLEAR, "unexpected_reply",
				   psprintf("HTTP status %d with %s that is not %s", ex->status,
							is_html(ex) ? "an HTML page" : "a body", wanted));
}

bool
bi_openai_reply_is_a(const BiJson *json, const char *object)
{
	const BiJson *said = bi_json_at(json, "object", NULL);
	const char *word = bi_json_string(said, NULL);

	return bi_json_type(json) == BI_JSON_OBJECT && (said == NULL || (word && pg_strcasecmp(word, object) == 0));
}

char *
bi_openai_reply_id(const BiJson *id)
{
	char	   *text = bi_json_cstring(id);

	if (text == NULL || *text == '\0' || strlen(text) > ID_MAX || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return NULL;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7F)
			return NULL;
	return text;
}
