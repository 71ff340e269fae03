/*
 * provider/google/google_reply.c: what the replies to a login at Google mean.
 *
 * Knows the words of the token services, and what a person can do about them.  A login has no
 * effect that could be lost.  So a reply that is no success is never unclear: either a person must
 * act (DENIED), or it is tried again later (DEFER).
 */
#include "postgres.h"

#include "provider/google/google_reply.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define LOGIN_AGAIN \
	"log in again with \"gcloud auth application-default login\", and give the new file"

/* What helps if code or message has these words; the first that it has counts.  (Source: reports of
 * users, and google-auth-library's messages; seen 2026-11.) */
static const struct
{
	const char *words;			/* in any letter case */
	const char *advice;
}			advices[] = {
	{"reasonable timeframe", "the clock of the database server is wrong"},
	{"jwt signature", "the private key was deleted, or is another account's: "
	"give a new key file of the service account"},
	{"account not found", "the service account does not exist, or was deleted"},
	{"account has been deleted", "give the key file of another service account"},
	{"invalid_target", "is \"audience\" the workload identity provider's, and is that enabled?"},
	{"disabled", "an administrator of the project can enable the account again"},
	{"expired or revoked", LOGIN_AGAIN},
	{"rapt", LOGIN_AGAIN},
	{"audience check", "\"token_uri\" of the key file does not belong to Google"},
	{"invalid_client", "the client of these credentials was deleted, or its secret changed"},
	{"invalid_scope", "the account may not be used for Google Cloud"},
	{"stale", "the subject token is out of date: whoever writes it must renew it"},
	{"could not be verified",
	"the subject token is not of the identity provider that the pool trusts"},
	{"getaccesstoken", "the federated identity lacks role \"Service Account Token Creator\" or "
	"\"Workload Identity User\" on the service account"},
};

/* Replaces in text every JSON Web Token, and returns text.  It begins as every JSON object does in
 * base64.  An assertion is in no list of secrets, so nobody else keeps it out of a message. */
static char *
blot(char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/=";
	char	   *at = text;

	while (at && (at = strstr(at, "eyJ")) != NULL)
	{
		char	   *end = at + strspn(at, letters);

		memcpy(at, "***", 3);
		memmove(at + 3, end, strlen(end) + 1);
	}
	return text;
}

/* Sets the verdict's code and message from a refusal.  OAuth has a word and its description, the
 * other services an error object. */
static void
read_words(const BiExchange *ex, BiVerdict *verdict)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *error = bi_json_at(json, "error", NULL);
	bool		whole = bi_json_type(error) == BI_JSON_OBJECT;
	const BiJson *word = whole ? bi_json_at(error, "status", NULL) : error;
	const BiJson *words = whole ? bi_json_at(error, "message", NULL)
		: bi_json_at(json, "error_description", NULL);
	char	   *code = bi_wire_json_words(word, BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(words, BI_WIRE_MESSAGE);

	if (code == NULL)
		return;
	verdict->code = blot(code);
	verdict->message = message ? blot(message) : pstrdup(code);
}

/* Appends to the verdict's message what helps, if that is known. */
static void
add_advice(BiVerdict *verdict)
{
	for (int i = 0; i < lengthof(advices); i++)
	{
		if (!bi_words_find(verdict->message, advices[i].words) &&
			!bi_words_find(verdict->code, advices[i].words))
			continue;
		verdict->message = psprintf("%s (%s)", verdict->message, advices[i].advice);
		return;
	}
}

/* Returns what a reply of the machine's metadata service means.  Its refusals are web pages, and a
 * header says that it is Google's. */
static BiVerdict
judge_metadata(const BiExchange *ex, BiVerdict verdict)
{
	const char *flavor = bi_exchange_reply_header(ex, "metadata-flavor");

	if (ex->transport != BI_TRANSPORT_REPLIED)
	{
		verdict.message = psprintf("could not ask the machine's metadata service: %s",
								   verdict.message);
		return verdict;
	}
	if (flavor == NULL || strcmp(flavor, "Google") != 0)
		return bi_verdict_make(ex, BI_VERDICT_DENIED, "no_metadata",
							   "what answers for the machine is not Google's metadata service");
	if (ex->status == 404)
		return bi_verdict_make(ex, BI_VERDICT_DENIED, "no_account",
							   "the machine has no service account");
	if (ex->status == 403)
		return bi_verdict_make(ex, BI_VERDICT_DENIED, "no_scope",
							   "the machine's service account may not be used for Google Cloud");
	return verdict;
}

BiVerdict
bi_google_reply_verdict(const BiExchange *ex, BiGoogleStep step)
{
	BiVerdict	verdict = bi_verdict_read(ex);
	bool		refused = ex->transport == BI_TRANSPORT_REPLIED && ex->status >= 400;

	if (step == BI_GOOGLE_METADATA)
		verdict = judge_metadata(ex, verdict);
	else if (verdict.kind != BI_VERDICT_OK && refused)
		read_words(ex, &verdict);
	if (verdict.kind == BI_VERDICT_OK)
		return verdict;
	if (verdict.kind == BI_VERDICT_REFUSED || verdict.kind == BI_VERDICT_ABSENT ||
		verdict.kind == BI_VERDICT_DENIED)
		bi_verdict_change(&verdict, ex, BI_VERDICT_DENIED);
	else
		bi_verdict_change(&verdict, ex, BI_VERDICT_DEFER);
	verdict.bad_key = verdict.kind == BI_VERDICT_DENIED;
	blot(verdict.message);
	add_advice(&verdict);
	return verdict;
}

BiVerdict
bi_google_reply_unexpected(const BiExchange *ex, const char *wanted)
{
	BiVerdict	verdict = bi_verdict_unexpected(ex, wanted);

	bi_verdict_change(&verdict, ex, BI_VERDICT_DEFER);
	return verdict;
}
