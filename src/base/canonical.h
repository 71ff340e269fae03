/*
 * base/canonical.h: the canonical request of AWS Signature Version 4.
 */
#ifndef BI_CANONICAL_H
#define BI_CANONICAL_H

#include "postgres.h"

#include "base/compat.h"
#include "base/digest.h"
#include "base/exchange.h"

/* Points into the URL's text. */
typedef struct BiCanonicalUrl
{
	bool		https;
	bool		as_is;			/* S3's rule for paths */
	const char *host;			/* with its port, but for the scheme's own */
	int			host_len;
	const char *path;			/* len 0 is "/" */
	int			path_len;
	const char *query;			/* without its question mark */
	int			query_len;
} BiCanonicalUrl;

/* ereports that the request cannot be signed; why has nothing of it. */
pg_noreturn extern void bi_canonical_refuse(const char *why);

/* Takes the URL apart as libcurl does. */
extern void bi_canonical_split(const char *text, bool as_is, BiCanonicalUrl *url);

/* The headers to sign: BiHeader with names in lower case, sorted; the values are still those
 * of the exchange. */
extern List *bi_canonical_headers(const BiExchange *ex, const BiCanonicalUrl *url);

/* Their names, once each, joined by semicolons. */
extern char *bi_canonical_names(const List *headers);

/* The hash of the canonical request, BI_DIGEST_HEX bytes; payload is its last line. */
extern void bi_canonical_hash(const BiExchange *ex, const BiCanonicalUrl *url, const List *headers, const char *names,
							  const char *payload, char *hex);

#endif							/* BI_CANONICAL_H */
