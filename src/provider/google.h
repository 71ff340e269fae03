/*
 * provider/google.h: who we are at Google: credentials and the tokens they are good for.
 */
#ifndef BI_GOOGLE_H
#define BI_GOOGLE_H

#include "base/json.h"
#include "provider/provider.h"

/* Of a provider: its secret routine.  A JSON object as Google hands it out, whose "type" is
 * one of these; of an external account with the subject token that its file has now. */
extern char *bi_google_secret(const BiServer *server, const BiHost *host, char **why);

#define BI_GOOGLE_ACCOUNT "service_account"
#define BI_GOOGLE_USER "authorized_user"
#define BI_GOOGLE_EXTERNAL "external_account"
#define BI_GOOGLE_INSTANCE "instance"	/* the machine's own: {"type":…,"url":…}, never a document's */

/* Of a provider: its login routines. */
extern bool bi_google_login(const BiCall *call, const char *secret, BiExchange *ex);
extern BiVerdict bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime);

/* Adds the proof, which a login gave, to a request. */
extern void bi_google_bearer(const char *proof, BiExchange *ex);

/* google_login.c: the request of one step of a login.  carried: what the step before gave. */
typedef enum BiGoogleStep
{
	BI_GOOGLE_ASSERT,			/* a signed assertion for a token */
	BI_GOOGLE_REFRESH,			/* a user's refresh token for a token */
	BI_GOOGLE_METADATA,			/* the machine's token */
	BI_GOOGLE_SUBJECT,			/* a token of another identity provider */
	BI_GOOGLE_EXCHANGE,			/* that one for a federated one */
	BI_GOOGLE_IMPERSONATE		/* that one for a service account's */
} BiGoogleStep;

extern void bi_google_login_request(const BiCall *call, BiGoogleStep step, const BiJson *document, const BiJson *carried, BiExchange *ex);

/* google_reply.c: the verdict of a step's reply; not OK where it has no token. */
extern BiVerdict bi_google_reply_verdict(const BiExchange *ex, BiGoogleStep step);
extern BiVerdict bi_google_reply_unexpected(const BiExchange *ex, const char *wanted);

/* A visible string of a document, palloc'd, else NULL. */
extern char *bi_google_text(const BiJson *json, const char *name);

/* The token in what a "credential_source" gave, palloc'd, or NULL. */
extern char *bi_google_subject(const BiJson *source, const char *text, size_t len);

#endif							/* BI_GOOGLE_H */
