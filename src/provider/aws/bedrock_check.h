/*
 * provider/aws/bedrock_check.h: what batch_check asks Bedrock and S3.
 */
#ifndef BI_BEDROCK_CHECK_H
#define BI_BEDROCK_CHECK_H

#include "provider/provider.h"

/* Implement request and read of BiProviderCheck. */
extern void bi_bedrock_check_request(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_check_read(const BiCall *call, const BiExchange *ex);

#endif							/* BI_BEDROCK_CHECK_H */
