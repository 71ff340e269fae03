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
 * if owner is a superuser and target's owner is not.  Ereports if code of several roles would
 * run with the rights of one of them.  For a superuser's job it locks all tables whose code the
 * write may run as an UPDATE locks them, until the end of the transaction.  Waits for locks as
 * lock_timeout says.
 */
extern Oid	bi_owner_writer(Oid owner, Oid target);

/*
 * Runs one statement as role in a security-restricted operation, with an empty search path, the
 * job's custom settings, and others that end with it: rows processed, for bi_sql_* to read.  Waits
 * for a lock no longer than lock_ms.  All session-level advisory locks of the process are released:
 * it must hold no others.  An error leaves user and settings to the abort of the subtransaction:
 * call it in one.
 */
extern int64 bi_owner_run(Oid role, const BiCarried *carried, const char *sql, const BiArgs *args,
						  int lock_ms);

/* Ereports if this session has something that bi_owner_run takes from it, or gives to the code
 * that it runs.  Needs SPI and a transaction. */
extern void bi_owner_check_session(void);

#endif							/* BI_OWNER_H */
