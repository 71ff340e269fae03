/*
 * store/notify.h: the mark on jobs whose end is not announced yet, and the announcement.
 */
#ifndef BI_NOTIFY_H
#define BI_NOTIFY_H

#include "postgres.h"

/* Sets or removes the mark.  Does nothing if the tables are those of 0.1.0. */
extern void bi_notify_mark(int64 job_id, bool to_announce);

/* True if a job of this database has ended and is not announced yet. */
extern bool bi_notify_is_due(void);

/*
 * Sends NOTIFY on channel batchinf for jobs that have ended, and takes the mark from them.
 * Must be called in a transaction of its own: the commit fails if the server's notify queue is
 * full, or if another session's NOTIFY does not get through, and then all of it is undone.
 */
extern void bi_notify_send(void);

#endif							/* BI_NOTIFY_H */
