/*
 * engine/results/limit.h: how long other people's code may run within ours.
 */
#ifndef BI_LIMIT_H
#define BI_LIMIT_H

#include "postgres.h"

/* How long code may run. */
typedef struct BiLimit
{
	int			ms;				/* no longer than this */
	int			wanted_ms;		/* nor much longer than this once is_wanted says so */
	bool		(*is_wanted) (void);	/* asked in a signal handler: true if this process is wanted
										 * for something else.  NULL: it never is */
	const char *message;		/* of the error if it takes longer than ms */
	const char *wanted_message; /* of the error if it must end before, because it is wanted */
} BiLimit;

/*
 * Runs code(arg) in the open (sub)transaction.  If it takes longer than the limit it is cancelled,
 * and ends with an error of code lock_not_available and a message of the limit's, because like a
 * lock it may succeed another time.  A cancel or the end of this session, and the session's own
 * statement_timeout, are raised as they are.
 */
extern void bi_limit_run(const BiLimit *limit, void (*code) (void *arg), void *arg);

/*
 * The commit of a transaction is code of others, too, if postgres_fdw has written for them: it
 * commits at the remote server first.  Call bi_limit_start_commit at the end of the transaction,
 * and bi_limit_end_commit with its error, or NULL, when it is over.  If the commit takes longer
 * than ms it is cancelled, which rolls the transaction back, and the error that is returned has
 * that reason and the code lock_not_available.  Nothing is cancelled once the remote servers have
 * committed.
 *
 * There is no limit in a session that has used postgres_fdw before: its owner may cancel it.
 */
extern void bi_limit_start_commit(int ms);
extern ErrorData *bi_limit_end_commit(ErrorData *error);

/* True if the code that ran last has taken longer than it may. */
extern bool bi_limit_has_passed(void);

#endif							/* BI_LIMIT_H */
