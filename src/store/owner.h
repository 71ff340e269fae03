/*
 * store/owner.h: with whose rights a job's rows are written, and how code of theirs is run.
 */
#ifndef BI_OWNER_H
#define BI_OWNER_H

#include "postgres.h"

#include "store/carry.h"
#include "store/sql.h"

/*
 * Returns the role that writes rows of target for a job of owner: owner, or the owner of target
 * if owner is a superuser and target's owner is not.  deletes: the job deletes rows too.  Raises an
 * error if code of several roles would run with the rights of one of them.
 *
 * For a superuser's job it locks all tables whose code the write may run, as an UPDATE locks
 * them, until the end of the transaction.  Waits for locks as long as lock_timeout says.
 */
extern Oid	bi_owner_writer(Oid owner, Oid target, bool deletes);

/* Returns the tables whose rows are deleted or changed with rows of target that are deleted: their
 * foreign keys say so. */
extern List *bi_owner_followers(Oid target);

/*
 * Runs one statement as role, in a security-restricted operation, with an empty search path and
 * the job's custom settings; settings that the statement's code makes end with it.  Returns how
 * many rows it processed; bi_sql_* read them.  Waits for a lock no longer than lock_ms.
 *
 * Releases all session-level advisory locks of the process, so the session must hold no others.
 * An error leaves user and settings to the abort of the subtransaction: call it in one.
 */
extern int64 bi_owner_run(Oid role, const BiCarried *carried, const char *sql, const BiArgs *args,
						  int lock_ms);

/* The same in the session of a user who asks for it: waits for locks as long as the session does,
 * and releases no advisory locks, unless the process is a worker.  Policies apply. */
extern int64 bi_owner_run_in_session(Oid role, const BiCarried *carried, const char *sql,
									 const BiArgs *args);

/* Runs code(arg) as role, in a security-restricted operation.  An error leaves the user to the
 * abort of the (sub)transaction. */
extern void bi_owner_call(Oid role, void (*code) (void *arg), void *arg);

/* Raises an error if this session has something that bi_owner_run would take from it, or would
 * show to the code that it runs.  Needs SPI and a transaction. */
extern void bi_owner_check_session(void);

#endif							/* BI_OWNER_H */
