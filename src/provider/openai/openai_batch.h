/*
 * provider/openai/openai_batch.h: batch objects and lists of them.
 */
#ifndef BI_OPENAI_BATCH_H
#define BI_OPENAI_BATCH_H

#include "base/json.h"
#include "provider/provider.h"

/* Names of a chunk's references: the files of its batch. */
#define BI_OPENAI_INPUT "input"
#define BI_OPENAI_OUTPUT "output"
#define BI_OPENAI_ERROR "error"

/* Keys of the metadata by which a batch is found again. */
#define BI_OPENAI_INTENT "batchinf_intent"
#define BI_OPENAI_TRY "batchinf_try"

/*
 * A cursor that begins so ends with the server's own word for the next page; any other is the id of
 * the last batch of a page.
 */
#define BI_OPENAI_WORD "cursor="

/* True if it is a JSON object that calls itself so, or does not say what it is. */
extern bool bi_openai_batch_is_a(const BiJson *json, const char *object);

/* Reads a batch object; false if json is not one or has no status. */
extern bool bi_openai_batch_read(const BiJson *json, BiBatchReport *batch);

/*
 * Reads one page of batches, whose order is not known, so that only the whole list proves that ours
 * is not there.  False if json is not a list that we understand.
 */
extern bool bi_openai_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

#endif							/* BI_OPENAI_BATCH_H */
