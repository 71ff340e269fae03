/*
 * engine/results/blame.h: whose fault an error is, by its SQLSTATE.
 */
#ifndef BI_BLAME_H
#define BI_BLAME_H

#include "postgres.h"

/* Whose fault an error is. */
typedef enum BiBlame
{
	BI_BLAME_VALUE,				/* the record's: this value fails whenever it is tried */
	BI_BLAME_CODE,				/* that of code of the target's owner; also any unknown error */
	BI_BLAME_TARGET,			/* that of the target's shape, or of the rights on it */
	BI_BLAME_MOMENT,			/* that of this server's state, or of another session */
	BI_BLAME_UNCLEAR			/* the server's, or that of a value that it did not foresee */
} BiBlame;

/* Returns whose fault an error with this SQLSTATE is.  Pure. */
extern BiBlame bi_blame(int sqlstate);

/* True if a write to the target that failed so may succeed later, with the same value. */
extern bool bi_blame_write_waits(int sqlstate);

#endif							/* BI_BLAME_H */
