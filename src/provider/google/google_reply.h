/*
 * provider/google/google_reply.h: what the replies to a login at Google mean.
 */
#ifndef BI_GOOGLE_REPLY_H
#define BI_GOOGLE_REPLY_H

#include "provider/google/google_login.h"
#include "provider/provider.h"

/* Returns OK for a good status, else DENIED or DEFER with what a person can do about it. */
extern BiVerdict bi_google_reply_verdict(const BiExchange *ex, BiGoogleStep step);

/* Returns DEFER, for a good status with a body that is not what was asked for. */
extern BiVerdict bi_google_reply_unexpected(const BiExchange *ex, const char *wanted);

#endif							/* BI_GOOGLE_REPLY_H */
