/*
 * provider/aws/bedrock_reply.c: what the replies of Bedrock's control plane mean.
 *
 * Knows the types of errors and where they stand in a reply; knows no request and no job.  A quota
 * that is used up has status 400, so its type decides, not its status (source: botocore, the errors
 * of CreateModelInvocationJob, 2026-08).
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws/aws.h"
#include "provider/aws/bedrock_reply.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

const char *const bi_bedrock_reply_rights[] = {
	"permission", "access denied", "accessdenied", "not authorized", "assume", "trust policy",
	"trust relationship", "have access", NULL
};

/* Returns TYPE of "TYPE", "TYPE:http://…" or "com.amazon.bedrock#TYPE", palloc'd; NULL for NULL.
 * (Source: botocore, parsers.py, BaseRestParser, 2026-08.) */
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

/* Returns the first of these members that has words, palloc'd; NULL if none has. */
static char *
read_member(const BiJson *json, const char *const *names, int limit)
{
	char	   *words = NULL;

	for (; words == NULL && *names; names++)
		words = bi_wire_json_words(bi_json_at(json, *names, NULL), limit);
	return words;
}

/* Sets code and message, both palloc'd, from a reply that is not a success.  False if the reply has
 * neither: it is then not Bedrock's own. */
static bool
read_error(const BiExchange *ex, char **code, char **message)
{
	static const char *const types[] = {"code", "Code", "__type", NULL};
	static const char *const messages[] = {"message", "Message", "errorMessage", NULL};
	BiJson	   *json = bi_wire_body(ex);

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

/* Returns what the error's type means, or else its status. */
static BiVerdictKind
kind_of(int status, const char *code)
{
	static const char *const waits[] = {
		"ThrottlingException", "Throttling", "TooManyRequestsException",
		"ServiceQuotaExceededException", "LimitExceededException", "RequestLimitExceeded", NULL
	};
	static const char *const held[] = {
		"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
		"ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId",
		"MissingAuthenticationTokenException", "MissingAuthenticationToken",
		"IncompleteSignatureException", "IncompleteSignature", "NotAuthorized", "OptInRequired",
		"FTUFormNotFilled", NULL
	};

	if (bi_words_list(waits, code) || status == 429)
		return BI_VERDICT_DEFER;
	if (bi_words_list(held, code))
		return BI_VERDICT_DENIED;
	return bi_words_equal(code, "ConflictException") ? BI_VERDICT_UNCLEAR : bi_aws_kind(status);
}

BiVerdict
bi_bedrock_reply_verdict(const BiExchange *ex)
{
	char	   *code;
	char	   *message;

	/* Success, a redirect, no whole reply, or words that are not Bedrock's own. */
	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399) ||
		!read_error(ex, &code, &message))
		return bi_verdict_read(ex);
	return bi_verdict_make(ex, kind_of(ex->status, code), code, message);
}
