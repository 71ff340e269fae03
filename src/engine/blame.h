/*
 * engine/blame.h: whose fault an error is, by its SQLSTATE.
 */
#ifndef BI_BLAME_H
#define BI_BLAME_H

#include "postgres.h"

typedef enum BiBlame
{
	BI_BLAME_VALUE,				/* the record's: this value fails, whenever it is tried */
	BI_BLAME_CODE,				/* code of the target's owner, or an error that we do not know */
	BI_BLAME_TARGET,			/* the shape of the target, or the rights on it */
	BI_BLAME_MOMENT,			/* the state of this server or of another session */
	BI_BLAME_UNCLEAR			/* the server's, or a value's that it did not foresee */
} BiBlame;

/* Returns whose fault an error with this SQLSTATE is.  The one table of it; pure. */
extern BiBlame bi_blame(int sqlstate);

/* True if a write to the target that failed so may succeed later, with the same value. */
extern bool bi_blame_write_waits(int sqlstate);

#endif							/* BI_BLAME_H */
