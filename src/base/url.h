/*
 * base/url.h: is this a URL that requests may be built on?
 */
#ifndef BI_URL_H
#define BI_URL_H

#include "postgres.h"

/* NULL where url is http(s)://host[:port][/path] and nothing else, with *plain_host
 * the palloc'd host where it is plain http, else NULL.  Otherwise the reason as a
 * sentence, without a word of the url: it may hold a password. */
extern char *bi_url_refuse(const char *url, char **plain_host);

#endif							/* BI_URL_H */
