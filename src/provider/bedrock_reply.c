/*
 * provider/bedrock_reply.c: what the replies of Bedrock's control plane mean.
 *
 * Knows status codes, the types of errors and where they stand.  A quota that is used up is
 * a 400 here, told by its type only.  Knows no request and no job.  Called by bedrock.c and
 * bedrock_check.c.
 */
#include "postgres.h"

#include "provider/bedrock.h"
#include "provider/openai.h"
#include "provider/wire.h"

const char *const bi_bedrock_reply_rights[] = {
	"permission", "access denied", "accessdenied", "not authorized", "assume", "trust policy", "trust relationship",
	"have access", NULL
};

bool
bi_bedrock_reply_mentions(const char *text, const char *const *words)
{
	for (; text && *text; text++)
	{
		for (const char *const *word = words; *word; word++)
			if (pg_strncasecmp(text, *word, strlen(*word)) == 0)
				return true;
	}
	return false;
}

/* TYPE, TYPE:http://…, com.amazon.bedrock#TYPE; NULL for NULL. */
static char *
type_name(const char *text)
{
	const char *hash;

	if (text == NULL)
		return NULL;
	hash = strchr(text, '#');
	text = hash ? hash + 1 : text;
	return bi_wire_words(text, strcspn(text, ":"), BI_WIRE_CODE);
}

static char *
read_member(const BiJson *json, const char *const *names, int limit)
{
	char	   *words = NULL;

	for (; words == NULL && *names; names++)
		words = bi_wire_json_words(bi_json_at(json, *names, NULL), limit);
	return words;
}

/* The words of a reply that is no success; false where they are not Bedrock's own. */
static bool
read_error(const BiExchange *ex, char **code, char **message)
{
	static const char *const types[] = {"code", "Code", "__type", NULL};
	static const char *const messages[] = {"message", "Message", "errorMessage", NULL};
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);

	*code = type_name(bi_exchange_reply_header(ex, "x-amzn-errortype"));
	if (*code == NULL || **code == '\0')
		*code = type_name(read_member(json, types, BI_WIRE_CODE));
	*message = read_member(json, messages, BI_WIRE_MESSAGE);
	if (*code == NULL && *message == NULL)
		return false;
	if (*code == NULL)
		*code = psprintf("http_%d", ex->status);
	if (*message == NULL)
		*message = psprintf("HTTP status %d", ex->status);
	return true;
}

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static BiVerdictKind
kind_of(int status, const char *code)
{
	static const char *const waits[] = {
		"ThrottlingException", "Throttling", "TooManyRequestsException", "ServiceQuotaExceededException",
		"LimitExceededException", "RequestLimitExceeded", NULL
	};
	static const char *const held[] = {
		"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
		"ExpiredToken", "InvalidClientTokenId", "MissingAuthenticationTokenException", "MissingAuthenticationToken",
		"IncompleteSignatureException", "IncompleteSignature", "NotAuthorized", "OptInRequired", "FTUFormNotFilled", NULL
	};

	if (is_one_of(code, waits) || status == 429)
		return BI_DEFER;
	if (is_one_of(code, held) || status == 401 || status == 402 || status == 403)
		return BI_DENIED;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425 || strcmp(code, "ConflictException") == 0)
		return BI_UNCLEAR;
	return status == 404 ? BI_ABSENT : BI_REFUSED;
}

BiVerdict
bi_bedrock_reply_verdict(const BiExchange *ex)
{
	char	   *code;
	char	   *message;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399) || !read_error(ex, &code, &message))
		return bi_openai_reply_verdict(ex); /* no words in it that would be Bedrock's */
	return (BiVerdict) {kind_of(ex->status, code), code, message};
}
