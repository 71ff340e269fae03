/*
 * base/jwt.h: JSON Web Tokens signed with an RSA key (RS256).
 */
#ifndef BI_JWT_H
#define BI_JWT_H

#include "postgres.h"

/* Why this text is no key to sign with, in one line that quotes nothing of it; NULL: it is
 * one.  A private RSA key of at least 2048 bits in PEM form, not encrypted. */
extern const char *bi_jwt_refuse(const char *pem);

/* The token of these claims, a JSON object, palloc'd; key_id may be NULL.  NULL where
 * bi_jwt_refuse has a reason.  Nothing of the key stays behind in memory. */
extern char *bi_jwt_sign(const char *pem, const char *key_id, const char *claims);

#endif							/* BI_JWT_H */
