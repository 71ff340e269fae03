/*
 * provider/anthropic_reply.c: what Anthropic's replies mean.
 *
 * Knows status codes, error bodies and the codes for money, as the API and gateways
 * before it send them: any member may be null, missing or of a wrong type.  Knows no
 * request and no batch.  Called by anthropic.c and anthropic_line.c.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/openai.h"
#include "provider/wire.h"

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; word && *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* Does text begin with the words, in any case of letters? */
static bool
begins(const char *text, const char *words)
{
	return text && pg_strncasecmp(text, words, strlen(words)) == 0;
}

/* The limit that an organization sets itself and an empty account have no code of their own. */
bool
bi_anthropic_reply_is_billing(const char *code, const char *message)
{
	static const char *const codes[] = {
		"billing_error", "enforced_spend_limit_reached", "contract_spend_limit_reached", NULL
	};

	return is_one_of(code, codes) || begins(message, "You have reached your specified API usage limits") ||
		begins(message, "Your credit balance is too low");
}

/* Rights and the like, whatever the status. */
static bool
is_held(const char *code)
{
	static const char *const codes[] = {
		"authentication_error", "permission_error", "organization_on_hold", "claude_code_key_creator_not_member",
		"cmek_key_disabled", NULL
	};

	return is_one_of(code, codes);
}

void
bi_anthropic_reply_words(const BiJson *error, char **code, char **message)
{
	*code = bi_wire_json_words(bi_json_at(error, "details", "error_code", NULL), BI_WIRE_CODE);
	if (*code == NULL)
		*code = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	*message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
}

/* The words of a reply that is no success; false where they are not the provider's own: a
 * gateway's page or text. */
static bool
read_error(const BiExchange *ex, char **code, char **message)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	const BiJson *error = bi_json_at(json, "error", NULL);
	const char *text = ex->body.data + strspn(ex->body.data, " \t\r\n");
	bool		own = bi_json_type(json) == BI_JSON_OBJECT;

	bi_anthropic_reply_words(error ? error : json, code, message);
	if (!own && ex->status == 413)
		*message = pstrdup("the request is larger than the API takes: a smaller \"max_bytes\" of the server makes smaller batches");
	else if (*message == NULL && json == NULL && *text != '\0' && *text != '<')
		*message = bi_wire_words(text, strlen(text), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = psprintf("HTTP status %d%s", ex->status, *text == '<' ? " with an HTML page" : "");
	if (*code == NULL)
		*code = ex->status == 413 ? pstrdup("request_too_large") : psprintf("http_%d", ex->status);
	return own;
}

static BiVerdictKind
status_kind(int status, bool own, const char *code, const char *message)
{
	if (status == 401 || status == 402 || status == 403)
		return BI_DENIED;
	if (status == 429)
		return bi_anthropic_reply_is_billing(code, message) || is_held(code) ? BI_DENIED : BI_DEFER;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_UNCLEAR;
	if (status < 400 || status == 413)
		return BI_REFUSED;
	if (!own)
		return BI_UNCLEAR;
	if (bi_anthropic_reply_is_billing(code, message) || is_held(code))
		return BI_DENIED;
	return status == 404 ? BI_ABSENT : BI_REFUSED;
}

BiVerdict
bi_anthropic_reply_verdict(const BiExchange *ex)
{
	char	   *code;
	char	   *message;
	bool		own;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399))
		return bi_openai_reply_verdict(ex); /* no words in it that would be Anthropic's */
	own = read_error(ex, &code, &message);
	return (BiVerdict) {status_kind(ex->status, own, code, message), code, message};
}

bool
bi_anthropic_reply_is_a(const BiJson *json, const char *type)
{
	const BiJson *said = bi_json_at(json, "type", NULL);
	const char *word = bi_json_string(said, NULL);

	return bi_json_type(json) == BI_JSON_OBJECT && (said == NULL || (word && strcmp(word, type) == 0));
}
