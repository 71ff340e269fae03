/*
 * engine/limit.h: how long other people's code may run within ours.
 */
#ifndef BI_LIMIT_H
#define BI_LIMIT_H

#include "postgres.h"

/*
 * Runs code(arg) in the open (sub)transaction.  What takes longer than ms is cancelled, and
 * ends with an error of code lock_not_available: like a lock, it may be had another time.
 * A cancel or the end of this session, and the session's own statement_timeout, stay what
 * they are.
 */
extern void bi_limit_run(int ms, void (*code) (void *arg), void *arg);

#endif							/* BI_LIMIT_H */
