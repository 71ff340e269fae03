/*
 * engine/watch.h: are the exchanges that take long still wanted?
 */
#ifndef BI_WATCH_H
#define BI_WATCH_H

#include "engine/step.h"

/* Ends exchanges of steps (BiStep) that nobody wants any more; their replies are then taken as
 * all others.  Does nothing but once a second, and for none that has not run that long.
 * Ereports for a cancel only. */
extern void bi_watch(BiXactMode mode, BiHttp *http, List *steps, TimestampTz *watched_at);

#endif							/* BI_WATCH_H */
