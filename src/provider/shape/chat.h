/*
 * provider/shape/chat.h: answers in the shape of chat completions.
 */
#ifndef BI_CHAT_H
#define BI_CHAT_H

#include "base/json.h"
#include "provider/provider.h"

/* Reads the body of a good answer: its output, why the model ended, its model and its counts. */
extern void bi_chat_read(const BiJson *body, BiAnswer *answer);

/* Reads only the model and what it counted, which embeddings have alike. */
extern void bi_chat_read_counts(const BiJson *body, BiAnswer *answer);

/*
 * Appends the texts of an array of parts to out; false if no part has one.  Sets *refusal if a part
 * has one.
 */
extern bool bi_chat_join(const BiJson *parts, StringInfo out, const BiJson **refusal);

#endif							/* BI_CHAT_H */
