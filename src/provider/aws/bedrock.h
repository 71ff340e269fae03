/*
 * provider/aws/bedrock.h: the routine table of Amazon Bedrock's model invocation jobs.
 */
#ifndef BI_BEDROCK_H
#define BI_BEDROCK_H

#include "provider/provider.h"

extern const BiProvider bi_bedrock;

#endif							/* BI_BEDROCK_H */
