/*
 * provider/google/google.h: how a credential of Google's becomes a token, and a token a request's
 * proof.
 */
#ifndef BI_GOOGLE_H
#define BI_GOOGLE_H

#include "provider/provider.h"

/* Implement request_token and read_token of BiProviderLogin.  The token is a bearer token, or
 * {"bearer":…,"project":…} where a project pays for the requests. */
extern bool bi_google_login(const BiCall *call, const char *secret, BiExchange *ex);
extern BiVerdict bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex,
									  char **token, int *lifetime);

/* Adds to a request the token that a login gave. */
extern void bi_google_bearer(const char *proof, BiExchange *ex);

#endif							/* BI_GOOGLE_H */
