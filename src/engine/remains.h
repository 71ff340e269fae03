/*
 * engine/remains.h: what code of a job's owner leaves in the process.
 */
#ifndef BI_REMAINS_H
#define BI_REMAINS_H

#include "postgres.h"

#include "engine/xact.h"

/* Declares that this process is a worker of ours: everything that code of owners leaves in it may
 * be dropped. */
extern void bi_remains_own_process(void);

/*
 * Runs phase(arg) as bi_xact_try does; code of a job's owner runs in it.  Afterwards, error or not,
 * drops what that code has left in the process, and counts the memory that stays in use.  Memory of
 * cxt is not counted: it is the caller's.  Raises a cancel only.
 */
extern ErrorData *bi_remains_try(BiPhase phase, void *arg, MemoryContext cxt);

/* True if code of owners has left so much memory in use that a fresh process should go on. */
extern bool bi_remains_too_much(void);

/* Begins to count again, for a process that cannot be replaced. */
extern void bi_remains_forget(void);

#endif							/* BI_REMAINS_H */
