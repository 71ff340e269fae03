/*
 * engine/announce.h: notifies listeners that jobs have ended.
 */
#ifndef BI_ANNOUNCE_H
#define BI_ANNOUNCE_H

#include "postgres.h"

#include "engine/xact.h"

/*
 * Sends NOTIFY batchinf for all jobs that have ended and were not announced, in a transaction of
 * its own.  Between transactions.  A failure is logged once and tried again a minute later; raises
 * a cancel only.
 */
extern void bi_announce(BiXactMode mode);

#endif							/* BI_ANNOUNCE_H */
