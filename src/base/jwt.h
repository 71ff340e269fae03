/*
 * base/jwt.h: JSON Web Tokens signed with an RSA key (RS256).
 */
#ifndef BI_JWT_H
#define BI_JWT_H

#include "postgres.h"

/* Returns NULL if the text is a key to sign with: a private RSA key of at least 2048 bits, in PEM
 * form, not encrypted.  Otherwise returns the reason, in one line that quotes nothing of it. */
extern const char *bi_jwt_refuse(const char *pem);

/* Returns the token of these claims (a JSON object), palloc'd; NULL if bi_jwt_refuse has a reason.
 * key_id may be NULL.  Nothing of the key stays in memory. */
extern char *bi_jwt_sign(const char *pem, const char *key_id, const char *claims);

#endif							/* BI_JWT_H */
