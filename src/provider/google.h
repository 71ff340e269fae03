/*
 * provider/google.h: who we are at Google: credentials and the tokens they are good for.
 */
#ifndef BI_GOOGLE_H
#define BI_GOOGLE_H

#include "provider/provider.h"

/* Of a provider: its secret routine.  A JSON object as Google hands it out, its member
 * "type" saying which. */
extern char *bi_google_secret(const BiServer *server, const BiHost *host, char **why);

/* Of a provider: its login routines. */
extern bool bi_google_login(const BiCall *call, const char *secret, BiExchange *ex);
extern BiVerdict bi_google_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime);

/* Adds the token to a request. */
extern void bi_google_bearer(const char *proof, BiExchange *ex);

#endif							/* BI_GOOGLE_H */
