/*
 * base/canonical.h: the canonical request of AWS Signature Version 4.
 */
#ifndef BI_CANONICAL_H
#define BI_CANONICAL_H

#include "postgres.h"

#include "base/compat.h"
#include "base/digest.h"
#include "base/exchange.h"

/* The parts of a URL.  They point into its text. */
typedef struct BiCanonicalUrl
{
	bool		https;
	bool		as_is;			/* S3's rule for paths */
	const char *host;			/* with its port, unless it is the scheme's default */
	int			host_len;
	const char *path;			/* len 0 is "/" */
	int			path_len;
	const char *query;			/* without its question mark */
	int			query_len;
} BiCanonicalUrl;

/* Raises an error: the request cannot be signed.  why quotes nothing of the request. */
pg_noreturn extern void bi_canonical_refuse(const char *why);

/* Splits the URL as libcurl does. */
extern void bi_canonical_split(const char *text, bool as_is, BiCanonicalUrl *url);

/* Returns the headers to sign: BiHeader with names in lower case, sorted.  The values still belong
 * to the exchange. */
extern List *bi_canonical_headers(const BiExchange *ex, const BiCanonicalUrl *url);

/* Returns their names, each once, joined by semicolons. */
extern char *bi_canonical_names(const List *headers);

/* Computes the hash of the canonical request, BI_DIGEST_HEX bytes.  payload is its last line. */
extern void bi_canonical_hash(const BiExchange *ex, const BiCanonicalUrl *url, const List *headers,
							  const char *names,
							  const char *payload, char *hex);

#endif							/* BI_CANONICAL_H */
