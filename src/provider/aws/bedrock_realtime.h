/*
 * provider/aws/bedrock_realtime.h: single requests to models of Bedrock.
 */
#ifndef BI_BEDROCK_REALTIME_H
#define BI_BEDROCK_REALTIME_H

#include "provider/provider.h"

/* Implement request and read of BiProviderRealtime. */
extern void bi_bedrock_realtime_request(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_bedrock_realtime_read(const BiCall *call, const BiExchange *ex,
										  BiResultLine *line);

/* True if ex is such a request. */
extern bool bi_bedrock_realtime_is(const BiCall *call, const BiExchange *ex);

#endif							/* BI_BEDROCK_REALTIME_H */
