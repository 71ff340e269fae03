/*
 * provider/openai/openai_reply.h: what OpenAI's replies mean.
 */
#ifndef BI_OPENAI_REPLY_H
#define BI_OPENAI_REPLY_H

#include "provider/provider.h"

/* Returns what status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_openai_reply_verdict(const BiExchange *ex);

/* True if this code or message is about load or quota, and not about content; both may be NULL. */
extern bool bi_openai_reply_is_transient(const char *code, const char *message);

#endif							/* BI_OPENAI_REPLY_H */
