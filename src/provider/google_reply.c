/*
 * provider/google_reply.c: what is said where a login at Google is refused.
 *
 * Knows the words of the token services, and what somebody can do about them.  A login has no
 * effect that could be lost: a person must act, or it is tried again later.  Called by
 * google.c.
 */
#include "postgres.h"

#include "provider/google.h"
#include "provider/openai.h"
#include "provider/wire.h"

/* What helps where code or message has these words. */
static const struct
{
	const char *words;
	const char *advice;
}			advices[] = {
	{"reasonable timeframe", "the clock of the database server is wrong"},
	{"jwt signature", "the private key was deleted, or is another account's: give a new key file of the service account"},
	{"account not found", "the service account does not exist, or was deleted"},
	{"account has been deleted", "give the key file of another service account"},
	{"invalid_target", "is \"audience\" the workload identity provider's, and is that enabled?"},
	{"disabled", "an administrator of the project can enable the account again"},
	{"expired or revoked", "log in anew with \"gcloud auth application-default login\", and give the new file"},
	{"rapt", "log in anew with \"gcloud auth application-default login\", and give the new file"},
	{"audience check", "\"token_uri\" of the key file does not belong to Google"},
	{"invalid_client", "the client of these credentials was deleted, or its secret changed"},
	{"invalid_scope", "the account may not be used for Google Cloud"},
	{"stale", "the subject token is out of date: who writes it must renew it"},
	{"could not be verified", "the subject token is not of the identity provider that the pool trusts"},
	{"getaccesstoken", "the federated identity lacks role \"Service Account Token Creator\" or \"Workload Identity User\" on the service account"},
};

/* Where in text the words stand, in any case of letters; NULL: nowhere. */
static char *
find_words(char *text, const char *words)
{
	size_t		len = strlen(words);

	for (; text && *text; text++)
		if (pg_strncasecmp(text, words, len) == 0)
			return text;
	return NULL;
}

/* An assertion begins as every JSON object does in base64: whoever quotes it is not quoted. */
static char *
blot(char *text)
{
	char	   *at = text;

	while (at && (at = strstr(at, "eyJ")) != NULL)
	{
		char	   *end = at + strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/=");

		memcpy(at, "***", 3);
		memmove(at + 3, end, strlen(end) + 1);
	}
	return text;
}

/* OAuth has a word and its description, the other services an object. */
static void
read_words(const BiExchange *ex, BiVerdict *verdict)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	const BiJson *error = bi_json_at(json, "error", NULL);
	bool		whole = bi_json_type(error) == BI_JSON_OBJECT;
	char	   *code = bi_wire_json_words(whole ? bi_json_at(error, "status", NULL) : error, BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(whole ? bi_json_at(error, "message", NULL) : bi_json_at(json, "error_description", NULL), BI_WIRE_MESSAGE);

	if (code == NULL)
		return;
	verdict->code = blot(code);
	verdict->message = message ? blot(message) : pstrdup(code);
}

static void
add_advice(BiVerdict *verdict)
{
	for (int i = 0; i < lengthof(advices); i++)
	{
		if (!find_words(verdict->message, advices[i].words) && !find_words(verdict->code, advices[i].words))
			continue;
		verdict->message = psprintf("%s (%s)", verdict->message, advices[i].advice);
		return;
	}
}

static BiVerdict
denied(const char *code, const char *message)
{
	return (BiVerdict) {BI_DENIED, pstrdup(code), pstrdup(message)};
}

/* The machine's metadata service has pages for words, and says that it is one. */
static BiVerdict
judge_metadata(const BiExchange *ex, BiVerdict verdict)
{
	const char *flavor = bi_exchange_reply_header(ex, "metadata-flavor");

	if (ex->transport != BI_TRANSPORT_REPLIED)
	{
		verdict.message = psprintf("could not ask the machine's metadata service: %s", verdict.message);
		return verdict;
	}
	if (flavor == NULL || strcmp(flavor, "Google") != 0)
		return denied("no_metadata", "what answers for the machine is not Google's metadata service");
	if (ex->status == 404)
		return denied("no_account", "the machine has no service account");
	if (ex->status == 403)
		return denied("no_scope", "the machine's service account may not be used for Google Cloud");
	return verdict;
}

BiVerdict
bi_google_reply_verdict(const BiExchange *ex, BiGoogleStep step)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);

	if (step == BI_GOOGLE_METADATA)
		verdict = judge_metadata(ex, verdict);
	else if (verdict.kind != BI_OK && ex->transport == BI_TRANSPORT_REPLIED && ex->status >= 400)
		read_words(ex, &verdict);
	if (verdict.kind == BI_OK)
		return verdict;
	verdict.kind = verdict.kind == BI_REFUSED || verdict.kind == BI_ABSENT || verdict.kind == BI_DENIED ? BI_DENIED : BI_DEFER;
	verdict.bad_key = verdict.kind == BI_DENIED;
	blot(verdict.message);
	add_advice(&verdict);
	return verdict;
}

BiVerdict
bi_google_reply_unexpected(const BiExchange *ex, const char *wanted)
{
	BiVerdict	verdict = bi_openai_reply_unexpected(ex, wanted);

	verdict.kind = BI_DEFER;
	return verdict;
}
