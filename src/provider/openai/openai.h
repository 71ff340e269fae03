/*
 * provider/openai/openai.h: OpenAI's batch API.
 */
#ifndef BI_OPENAI_H
#define BI_OPENAI_H

#include "provider/provider.h"

extern const BiProvider bi_openai;

/* Readers of replies, for the tables of relatives.  As in provider.h. */
extern BiVerdict bi_openai_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern BiVerdict bi_openai_read_create(const BiCall *call, const BiExchange *ex,
									   BiBatchReport *batch);
extern BiVerdict bi_openai_read_find(const BiCall *call, const BiExchange *ex, BiFound *found);
extern BiVerdict bi_openai_read_poll(const BiCall *call, const BiExchange *ex,
									 BiBatchReport *batch);
extern BiVerdict bi_openai_read_cancel(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_fetch(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_discard(const BiCall *call, const BiExchange *ex);
extern BiVerdict bi_openai_read_check(const BiCall *call, const BiExchange *ex);

#endif							/* BI_OPENAI_H */
