/*
 * provider/anthropic/anthropic_reply.h: what Anthropic's replies mean.
 */
#ifndef BI_ANTHROPIC_REPLY_H
#define BI_ANTHROPIC_REPLY_H

#include "base/json.h"
#include "provider/provider.h"

/* Returns what status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_anthropic_reply_verdict(const BiExchange *ex);

/* True if json is an object of that type, or one that does not say what it is. */
extern bool bi_anthropic_reply_is_a(const BiJson *json, const char *type);

#endif							/* BI_ANTHROPIC_REPLY_H */
