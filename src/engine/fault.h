/*
 * engine/fault.h: failures that belong to this process rather than to a chunk.
 */
#ifndef BI_FAULT_H
#define BI_FAULT_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* The failures in a row, whichever steps met them.  Owned by one call of bi_drive. */
typedef struct BiFaults
{
	MemoryContext cxt;			/* of last */
	int			n;				/* how many; 0: the process works */
	TimestampTz since;			/* when the first of them came */
	int			code;			/* SQLSTATE of the last one */
	char	   *last;			/* its message, in cxt */
} BiFaults;

/* Counts a failure.  Returns true if it is the first in a row: report that one. */
extern bool bi_fault_add(BiFaults *faults, int code, const char *message);

/* A chunk keeps this error and waits.  Counts it where the process is out of memory. */
extern void bi_fault_kept(BiFaults *faults, const ErrorData *error);

/* A transaction of a step has committed: the failures before it are forgotten. */
extern void bi_fault_none(BiFaults *faults);

/* Throws the last failure where they are too many to go on in this process. */
extern void bi_fault_check(const BiFaults *faults);

#endif							/* BI_FAULT_H */
