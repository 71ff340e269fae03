/*
 * provider/openai/azure.h: Azure OpenAI.
 */
#ifndef BI_AZURE_H
#define BI_AZURE_H

#include "provider/provider.h"

extern const BiProvider bi_azure;

#endif							/* BI_AZURE_H */
