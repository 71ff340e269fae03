/*
 * provider/anthropic/anthropic_batch.h: message batches and lists of them.
 */
#ifndef BI_ANTHROPIC_BATCH_H
#define BI_ANTHROPIC_BATCH_H

#include "base/json.h"
#include "provider/provider.h"

/* Reads a batch object; false if json is not one or has no status. */
extern bool bi_anthropic_batch_read(const BiJson *json, BiBatchReport *batch);

/* Reads one page of batches, the newest first; false if json is not a list that we understand. */
extern bool bi_anthropic_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

#endif							/* BI_ANTHROPIC_BATCH_H */
