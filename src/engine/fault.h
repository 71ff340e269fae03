/*
 * engine/fault.h: failures that belong to this process rather than to a chunk.
 */
#ifndef BI_FAULT_H
#define BI_FAULT_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Failures in a row, whichever steps met them.  Owned by one call of bi_drive. */
typedef struct BiFaults
{
	MemoryContext cxt;			/* of last */
	int			n;				/* how many; 0 if the process works */
	TimestampTz since;			/* when the first one came */
	int			code;			/* SQLSTATE of the last one */
	char	   *last;			/* message of the last one, in cxt */
} BiFaults;

/* Counts a failure.  Returns true if it is the first in a row: only that one is worth a report. */
extern bool bi_fault_add(BiFaults *faults, int code, const char *message);

/* Counts an error that a chunk keeps, if it says that the process is out of memory. */
extern void bi_fault_kept(BiFaults *faults, const ErrorData *error);

/* Forgets all failures: a step has saved something. */
extern void bi_fault_none(BiFaults *faults);

/* Raises the last failure if there are too many to go on in this process. */
extern void bi_fault_check(const BiFaults *faults);

#endif							/* BI_FAULT_H */
