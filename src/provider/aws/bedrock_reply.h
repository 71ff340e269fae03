/*
 * provider/aws/bedrock_reply.h: what the replies of Bedrock's control plane mean.
 */
#ifndef BI_BEDROCK_REPLY_H
#define BI_BEDROCK_REPLY_H

#include "provider/provider.h"

/* Returns what status, transport and error body say; OK for every 2xx, whatever its body is. */
extern BiVerdict bi_bedrock_reply_verdict(const BiExchange *ex);

/* The words, up to a NULL, by which Bedrock says that the caller or the role lacks a right. */
extern const char *const bi_bedrock_reply_rights[];

#endif							/* BI_BEDROCK_REPLY_H */
