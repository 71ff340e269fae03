/*
 * engine/watch.h: ends exchanges that take long and that nobody wants any more.
 */
#ifndef BI_WATCH_H
#define BI_WATCH_H

#include "engine/step.h"

/*
 * Stops exchanges of these steps (a list of BiStep) that nobody wants any more; http.c hands them
 * back, and their replies are read as those of any broken exchange.  Looks once a second at most,
 * and only if an exchange has been under way for a second; watched_at remembers the last time.
 * Between transactions.  Raises a cancel only.
 */
extern void bi_watch(BiXactMode mode, BiHttp *http, List *steps, TimestampTz *watched_at);

#endif							/* BI_WATCH_H */
