/*
 * base/sigv4.h: AWS Signature Version 4 for one exchange.
 */
#ifndef BI_SIGV4_H
#define BI_SIGV4_H

#include "postgres.h"

#include "base/exchange.h"

/* What the signature says about the body. */
typedef enum BiSigv4Payload
{
	BI_SIGV4_BODY,				/* the SHA-256 of the exchange's body, spool included */
	BI_SIGV4_GIVEN,				/* payload_hash, which the caller has computed before */
	BI_SIGV4_UNSIGNED			/* nothing: for S3 over https only */
} BiSigv4Payload;

/* What a signature needs beside the request.  Its caller fills it, as a variable; the texts stay
 * the caller's. */
typedef struct BiSigv4
{
	const char *access_key;
	const char *secret_key;
	const char *session_token;	/* or NULL */
	const char *region;
	const char *service;		/* "s3", "bedrock", … as AWS names it in the scope */
	int64		now_unix;		/* seconds: the caller's clock */

	/* S3's rules: the path is signed as it is, and x-amz-content-sha256 is sent.  For all others
	 * the path is normalized and percent-encoded once more. */
	bool		s3;

	BiSigv4Payload payload;
	const char *payload_hash;	/* 64 lower-case hex digits, with BI_SIGV4_GIVEN */
} BiSigv4;

/*
 * Adds x-amz-date, x-amz-security-token, x-amz-content-sha256 and Authorization to a request that
 * is complete except for them.  Later changes make the signature invalid.  Signs the host that
 * libcurl takes from the URL, unless the request has a header for it, and every header of the
 * request except those that may change on the way.
 *
 * Path and query of the URL must be percent-encoded already; a plus sign in a query means a plus
 * sign.  Of an S3 key each byte must be encoded except A-Z a-z 0-9 - .  _ ~ and the slash.
 *
 * Raises an error if the body's spool cannot be read, if the request is signed already, and if it
 * cannot be signed.  No error contains a secret.  Nothing of the secrets stays in memory except
 * the headers, which bi_exchange_wipe overwrites.  Needs no transaction.
 */
extern void bi_sigv4_sign(BiExchange *ex, const BiSigv4 *with);

#endif							/* BI_SIGV4_H */
