/*
 * provider/aws/s3.h: requests to an object store that speaks S3.
 *
 * The store is AWS's own, or another one if the server sets storage_base_url.  A place is
 * s3://BUCKET/KEY without escapes; a key may hold any characters.
 */
#ifndef BI_S3_H
#define BI_S3_H

#include "provider/provider.h"

/* Writes PutObject.  The caller adds the body: ex->upload, or bytes in ex->head. */
extern void bi_s3_put(const BiCall *call, const char *place, BiExchange *ex);

/* Write GetObject and DeleteObject. */
extern void bi_s3_get(const BiCall *call, const char *place, BiExchange *ex);
extern void bi_s3_delete(const BiCall *call, const char *place, BiExchange *ex);

/* Writes ListObjectsV2 of the objects whose places begin with place, from the page of that token
 * on; token is NULL for the first page. */
extern void bi_s3_list(const BiCall *call, const char *place, const char *token, BiExchange *ex);

/* Writes CreateBucket: the bucket of that place, in the server's region. */
extern void bi_s3_make_bucket(const BiCall *call, const char *place, BiExchange *ex);

#endif							/* BI_S3_H */
