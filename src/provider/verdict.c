/*
 * provider/verdict.c: what replies mean, whichever provider gave them.
 *
 * Knows transport errors, what a status means by itself, and error bodies in the most common
 * shapes: any member may be null, missing or of a wrong type.  Families read their own codes and
 * words first.
 *
 * Decided here: an HTML page is a gateway's, not the provider's, so it is UNCLEAR, except with
 * 401, 402, 403 (DENIED), 413 (REFUSED) and 429 (DEFER).  Redirects are not followed, and say
 * nothing.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/verdict.h"
#include "provider/wire.h"

/* Making verdicts */

/* Returns the scope that follows.  A limit of rate or quota (4xx) is the key's: others have their
 * own. */
static BiScope
scope_of(BiVerdictKind kind, int status)
{
	switch (kind)
	{
		case BI_VERDICT_OK:
		case BI_VERDICT_NOT_YET:
			return BI_SCOPE_REQUEST;
		case BI_VERDICT_DENIED:
			return BI_SCOPE_KEY;
		case BI_VERDICT_DEFER:
			return status >= 400 && status <= 499 ? BI_SCOPE_KEY : BI_SCOPE_SERVER;
		default:
			return status >= 500 ? BI_SCOPE_SERVER : BI_SCOPE_REQUEST;
	}
}

void
bi_verdict_change(BiVerdict *verdict, const BiExchange *ex, BiVerdictKind kind)
{
	bool		of_key = verdict->bad_key || ex->status == 401 || ex->status == 403;

	verdict->kind = kind;
	verdict->scope = scope_of(kind, ex->status);
	verdict->bad_key = kind == BI_VERDICT_DENIED && of_key;
}

BiVerdict
bi_verdict_make(const BiExchange *ex, BiVerdictKind kind, const char *code, const char *message)
{
	BiVerdict	verdict = {.code = pstrdup(code), .message = pstrdup(message)};

	bi_verdict_change(&verdict, ex, kind);
	return verdict;
}

BiVerdict
bi_verdict_next(const char *cursor)
{
	return (BiVerdict) {.kind = BI_VERDICT_OK, .next = pstrdup(cursor)};
}

/* Reading replies */

/* Returns the verdict for a reply that did not come, or not in whole. */
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
	char	   *detail = ex->detail ? bi_wire_words(ex->detail, strlen(ex->detail), BI_WIRE_MESSAGE)
		: NULL;
	bool		unsent = ex->transport == BI_TRANSPORT_UNSENT;

	return bi_verdict_make(ex, unsent ? BI_VERDICT_DEFER : BI_VERDICT_UNCLEAR,
						   causes[ex->cause].code,
						   detail && *detail ? detail : causes[ex->cause].message);
}

static bool
is_html(const BiExchange *ex)
{
	const char *body = ex->body.data + strspn(ex->body.data, " \t\r\n");

	return *body == '<' || bi_exchange_reply_is_page(ex);
}

/* Returns the words of a body that is not an error object: in "error", in "detail" (a text, or
 * FastAPI's list), or the body is a text itself; NULL if it has none. */
static char *
read_plain_words(const BiJson *json)
{
	const BiJson *detail = bi_json_at(json, "detail", NULL);
	const BiJson *places[] = {
		bi_json_at(json, "error", NULL), detail, bi_json_at(bi_json_item(detail, 0), "msg", NULL),
		json
	};
	char	   *words = NULL;

	for (int i = 0; words == NULL && i < lengthof(places); i++)
		words = bi_wire_json_words(places[i], BI_WIRE_MESSAGE);
	return words;
}

const BiJson *
bi_verdict_error_of(const BiJson *body)
{
	const BiJson *whole = bi_json_type(body) == BI_JSON_ARRAY ? bi_json_item(body, 0) : body;
	const BiJson *error = bi_json_at(whole, "error", NULL);

	return bi_json_type(error) == BI_JSON_OBJECT ? error : whole;
}

/* Sets code and words of a reply that is not a success; never NULL. */
static void
read_error(const BiExchange *ex, char **code, char **message)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *whole = bi_json_type(json) == BI_JSON_ARRAY ? bi_json_item(json, 0) : json;
	const BiJson *error = bi_verdict_error_of(json);

	*code = bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	if (*code == NULL)
		*code = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	if (*code == NULL)
		*code = psprintf("http_%d", ex->status);
	*message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = read_plain_words(whole);
	if (*message == NULL && json == NULL && !is_html(ex) && ex->body.len > 0)
		*message = bi_wire_words(ex->body.data, ex->body.len, BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = psprintf("HTTP status %d%s", ex->status,
							is_html(ex) ? " with an HTML page" : "");
}

static BiVerdictKind
status_kind(const BiExchange *ex)
{
	int			status = ex->status;

	if (status == 401 || status == 402 || status == 403)
		return BI_VERDICT_DENIED;
	if (status == 429)
		return BI_VERDICT_DEFER;
	if (status < 400 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_VERDICT_UNCLEAR;
	if (status == 413)
		return BI_VERDICT_REFUSED;
	if (is_html(ex))
		return BI_VERDICT_UNCLEAR;
	return status == 404 ? BI_VERDICT_ABSENT : BI_VERDICT_REFUSED;
}

BiVerdict
bi_verdict_read(const BiExchange *ex)
{
	char	   *code;
	char	   *message;

	if (ex->transport != BI_TRANSPORT_REPLIED)
		return transport_verdict(ex);
	if (ex->status >= 200 && ex->status <= 299)
		return (BiVerdict) {BI_VERDICT_OK};
	if (ex->status >= 300 && ex->status <= 399)
		return bi_verdict_make(ex, status_kind(ex), "redirect",
							   psprintf("HTTP status %d: redirects are not followed", ex->status));
	read_error(ex, &code, &message);
	return bi_verdict_make(ex, status_kind(ex), code, message);
}

BiVerdict
bi_verdict_unexpected(const BiExchange *ex, const char *wanted)
{
	return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "unexpected_reply",
						   psprintf("HTTP status %d with %s that is not %s", ex->status,
									is_html(ex) ? "an HTML page" : "a body", wanted));
}
