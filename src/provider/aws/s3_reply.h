/*
 * provider/aws/s3_reply.h: what the replies of an object store that speaks S3 mean.
 */
#ifndef BI_S3_REPLY_H
#define BI_S3_REPLY_H

#include "provider/provider.h"

/*
 * Returns what status, transport and error document say; OK for every 2xx.  The code is the
 * store's own.  A bucket that is missing is ABSENT, as an object is.  What a person must put right
 * is DENIED, for example a bucket in another region.
 */
extern BiVerdict bi_s3_reply_verdict(const BiCall *call, const BiExchange *ex);

/* Returns UNCLEAR, for a good status with a body that is not what was asked for.  Unlike
 * bi_verdict_unexpected it does not take every body that begins with "<" for a web page. */
extern BiVerdict bi_s3_reply_unexpected(const BiExchange *ex, const char *wanted);

/*
 * Reads one page of the list of place.  Adds to *names (of char *) what stands behind place in the
 * key of each object, and sets *token to the next page's token, NULL after the last page.  A name
 * with a component "." or ".." is left out: no provider writes one, and a store that resolves it
 * would lead out of the folder.  False if it is not a list that can be understood to its end.
 */
extern bool bi_s3_reply_read_list(const BiExchange *ex, const char *place, List **names,
								  char **token);

#endif							/* BI_S3_REPLY_H */
