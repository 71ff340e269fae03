/*
 * provider/google/google_login.h: the requests of a login at Google.
 */
#ifndef BI_GOOGLE_LOGIN_H
#define BI_GOOGLE_LOGIN_H

#include "base/json.h"
#include "provider/provider.h"

/* One request of a login.  Most logins have one step, an external account has two or three. */
typedef enum BiGoogleStep
{
	BI_GOOGLE_ASSERT,			/* exchanges a signed assertion of a service account for a token */
	BI_GOOGLE_REFRESH,			/* exchanges a user's refresh token for a token */
	BI_GOOGLE_METADATA,			/* asks the machine's metadata service for a token */
	BI_GOOGLE_SUBJECT,			/* asks another identity provider for a subject token */
	BI_GOOGLE_EXCHANGE,			/* exchanges the subject token for a federated token */
	BI_GOOGLE_IMPERSONATE		/* exchanges the federated token for a service account's token */
} BiGoogleStep;

/*
 * Writes the request of a step.  document is the credential; carried is the object that the step
 * before handed on, or NULL.  May raise an error if the document's private key cannot sign.
 */
extern void bi_google_login_request(const BiCall *call, BiGoogleStep step, const BiJson *document,
									const BiJson *carried, BiExchange *ex);

#endif							/* BI_GOOGLE_LOGIN_H */
