/*
 * provider/anthropic/anthropic_reply.c: what Anthropic's replies mean.
 *
 * Knows status codes and error bodies, as the API and gateways before it send them: any member may
 * be null, missing or of a wrong type.  Knows no request and no batch.  Source: Anthropic's page
 * "Errors".
 *
 * Decided here:
 * - Limits of spending are DENIED: 429 with such a code, 400 with such words.  Any other 429 is
 *   DEFER.
 * - Words that are not the API's own (the body is not a JSON object) are UNCLEAR, except with 401,
 *   402, 403, 413 and 429, which mean the same from a gateway.
 */
#include "postgres.h"

#include "provider/anthropic/anthropic_reply.h"
#include "provider/shape/claude_answer.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* True if a person must give a right or the like, whatever the status. */
static bool
is_held(const char *code)
{
	static const char *const codes[] = {
		"authentication_error", "permission_error", "organization_on_hold",
		"claude_code_key_creator_not_member", "cmek_key_disabled", NULL
	};

	return bi_words_list(codes, code);
}

/* Sets the words of a reply that is not a success.  False if they are not the provider's own but a
 * gateway's page or text. */
static bool
read_error(const BiExchange *ex, char **code, char **message)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *error = bi_json_at(json, "error", NULL);
	const char *text = ex->body.data + strspn(ex->body.data, " \t\r\n");
	bool		own = bi_json_type(json) == BI_JSON_OBJECT;

	bi_claude_answer_words(error ? error : json, code, message);
	if (!own && ex->status == 413)
		*message = pstrdup("the request is larger than the API takes: a smaller \"max_bytes\" of"
						   " the server makes smaller batches");
	else if (*message == NULL && json == NULL && *text != '\0' && *text != '<')
		*message = bi_wire_words(text, strlen(text), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = psprintf("HTTP status %d%s", ex->status,
							*text == '<' ? " with an HTML page" : "");
	if (*code == NULL)
		*code = ex->status == 413 ? pstrdup("request_too_large") : psprintf("http_%d", ex->status);
	return own;
}

static BiVerdictKind
status_kind(int status, bool own, const char *code, const char *message)
{
	bool		held = bi_claude_answer_is_billing(code, message) || is_held(code);

	if (status == 401 || status == 402 || status == 403)
		return BI_VERDICT_DENIED;
	if (status == 429)
		return held ? BI_VERDICT_DENIED : BI_VERDICT_DEFER;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_VERDICT_UNCLEAR;
	if (status < 400 || status == 413)
		return BI_VERDICT_REFUSED;
	if (!own)
		return BI_VERDICT_UNCLEAR;
	if (held)
		return BI_VERDICT_DENIED;
	return status == 404 ? BI_VERDICT_ABSENT : BI_VERDICT_REFUSED;
}

BiVerdict
bi_anthropic_reply_verdict(const BiExchange *ex)
{
	char	   *code;
	char	   *message;
	bool		own;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399))
		return bi_verdict_read(ex); /* no words in it that would be Anthropic's */
	own = read_error(ex, &code, &message);
	return bi_verdict_make(ex, status_kind(ex->status, own, code, message), code, message);
}

bool
bi_anthropic_reply_is_a(const BiJson *json, const char *type)
{
	const BiJson *said = bi_json_at(json, "type", NULL);
	const char *word = bi_json_string(said, NULL);

	return bi_json_type(json) == BI_JSON_OBJECT &&
		(said == NULL || (word && strcmp(word, type) == 0));
}
