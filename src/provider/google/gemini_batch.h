/*
 * provider/google/gemini_batch.h: how the Gemini Developer API shows a batch, and lists of them.
 */
#ifndef BI_GEMINI_BATCH_H
#define BI_GEMINI_BATCH_H

#include "base/json.h"
#include "provider/provider.h"

/* Reads an operation into *batch.  False if json does not have the name of a batch.  A batch that
 * succeeded has references only once the API says where the results are. */
extern bool bi_gemini_batch_read(const BiJson *json, BiBatchReport *batch);

/* Reads one page of the list of batches into *found.  False if it is not a list whose entries all
 * say what they are. */
extern bool bi_gemini_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

#endif							/* BI_GEMINI_BATCH_H */
