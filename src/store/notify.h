/*
 * store/notify.h: the mark on jobs whose end is not announced yet, and the announcement.
 */
#ifndef BI_NOTIFY_H
#define BI_NOTIFY_H

#include "postgres.h"

/* Sets or takes away the mark; nothing where the tables are those of 0.1.0. */
extern void bi_notify_mark(int64 job_id, bool to_announce);

/* Has a job of this database ended and not been announced? */
extern bool bi_notify_is_due(void);

/*
 * Sends NOTIFY on channel batchinf for jobs that have ended, and takes the mark from them.
 * In a transaction of its own: its commit fails where the server's notify queue is full, or
 * where another session's NOTIFY does not get through, and all of it is undone.
 */
extern void bi_notify_send(void);

#endif							/* BI_NOTIFY_H */
