/*
 * provider/s3.h: the S3 dialect: where objects stand, and what is asked of a store.
 *
 * Of AWS itself, or of a store that speaks the same (storage_base_url).  Places are
 * s3://BUCKET/KEY, without escapes; keys may hold any characters.
 */
#ifndef BI_S3_H
#define BI_S3_H

#include "provider/provider.h"

/* Sends the body that the caller gives to ex, which is told to have one. */
extern void bi_s3_put(const BiCall *call, const char *place, BiExchange *ex);
extern void bi_s3_get(const BiCall *call, const char *place, BiExchange *ex);
extern void bi_s3_delete(const BiCall *call, const char *place, BiExchange *ex);

/* The objects whose places begin so, from the page of that token on; NULL: the first. */
extern void bi_s3_list(const BiCall *call, const char *place, const char *token, BiExchange *ex);

/* Makes the bucket of that place, in the server's region. */
extern void bi_s3_make_bucket(const BiCall *call, const char *place, BiExchange *ex);

/* s3_reply.c: what replies mean */

/* OK: 2xx.  The code is the store's own.  A missing bucket is ABSENT as a missing object is;
 * what a person must set right, in another region for one, is DENIED. */
extern BiVerdict bi_s3_verdict(const BiCall *call, const BiExchange *ex);

/* UNCLEAR, for a good status with a body that is not what we asked for. */
extern BiVerdict bi_s3_unexpected(const BiExchange *ex, const char *wanted);

/* Is that the store's code for it? */
extern bool bi_s3_has_code(const BiVerdict *verdict, const char *code);

/*
 * A page of a list: how the places go on behind what was asked for (char *), added to
 * names, and the token of the next page, NULL for none; false where it is no list that can
 * be understood to its end.  Names that might lead elsewhere (..) are left out: no provider
 * makes such.
 */
extern bool bi_s3_read_list(const BiExchange *ex, const char *place, List **names, char **token);

#endif							/* BI_S3_H */
