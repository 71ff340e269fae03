/*
 * provider/aws/bedrock_store.h: what a chunk has in S3.
 */
#ifndef BI_BEDROCK_STORE_H
#define BI_BEDROCK_STORE_H

#include "provider/provider.h"

/* Implement the routines of the same names of provider.h. */
extern void bi_bedrock_store_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_upload(const BiCall *call, const BiExchange *ex,
											  List **refs);
extern void bi_bedrock_store_outputs(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_outputs(const BiCall *call, const BiExchange *ex,
											   List **refs);
extern bool bi_bedrock_store_fetch(const BiCall *call, int part, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_fetch(const BiCall *call, const BiExchange *ex);
extern bool bi_bedrock_store_discard(const BiCall *call, int i, BiExchange *ex);
extern BiVerdict bi_bedrock_store_read_discard(const BiCall *call, const BiExchange *ex);

/* True if option storage_create says that a missing bucket is to be made. */
extern bool bi_bedrock_store_makes_bucket(const BiServer *server);

/* Returns DENIED, with what to do about a bucket that does not exist. */
extern BiVerdict bi_bedrock_store_no_bucket(const BiServer *server, const BiExchange *ex);

#endif							/* BI_BEDROCK_STORE_H */
