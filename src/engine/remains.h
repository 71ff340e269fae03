/*
 * engine/remains.h: what the code of a job's owner leaves in the process.
 */
#ifndef BI_REMAINS_H
#define BI_REMAINS_H

#include "postgres.h"

#include "engine/xact.h"

/* This process is ours alone: all that code of owners leaves in it may be dropped. */
extern void bi_remains_own_process(void);

/*
 * As bi_xact_try, for a phase in which code of a job's owner runs.  Afterwards, error or not, it
 * drops what that code has left in the process, and counts the memory that stays in use.  The
 * memory of cxt is not counted: it is the caller's.  Raises a cancel of the statement only.
 */
extern ErrorData *bi_remains_try(BiPhase phase, void *arg, MemoryContext cxt);

/* True if code of owners has left so much memory in use that a fresh process should go on. */
extern bool bi_remains_too_much(void);

/* Begins to count anew, where no fresh process can be had. */
extern void bi_remains_forget(void);

#endif							/* BI_REMAINS_H */
