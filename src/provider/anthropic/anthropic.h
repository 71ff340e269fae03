/*
 * provider/anthropic/anthropic.h: Anthropic's Message Batches.
 */
#ifndef BI_ANTHROPIC_H
#define BI_ANTHROPIC_H

#include "provider/provider.h"

extern const BiProvider bi_anthropic;

#endif							/* BI_ANTHROPIC_H */
