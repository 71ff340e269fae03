/*
 * base/url.h: is this a URL that requests may be built on?
 */
#ifndef BI_URL_H
#define BI_URL_H

#include "postgres.h"

/* Returns NULL if url is http(s)://host[:port][/path] and nothing else.  Then *plain_host is the
 * host, palloc'd, if it is plain http; otherwise NULL.  If url is something else, returns the
 * reason: a sentence that quotes nothing of it, because it may have a password. */
extern char *bi_url_refuse(const char *url, char **plain_host);

#endif							/* BI_URL_H */
