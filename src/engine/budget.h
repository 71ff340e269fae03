/*
 * engine/budget.h: how much processor time and memory one record may take.
 */
#ifndef BI_BUDGET_H
#define BI_BUDGET_H

#include "postgres.h"

/* Applying paths to one output.  Checking one against a schema is counted, which decides long
 * before its budget does: that is for what the count does not know. */
#define BI_BUDGET_PATHS_MS 1000
#define BI_BUDGET_SCHEMA_MS 5000
#define BI_BUDGET_MEMORY_MB 512

/*
 * Runs code(arg), which may use cpu_ms of processor time, and allocates in the current context.  Returns NULL when it has ended by
 * itself, else what it took too much of (palloc'd in the current context, as in: more than
 * 1000 ms of processor time), and then it has been cancelled.  Where it may hold anything but
 * memory, run it in a subtransaction and throw what is returned.  All other errors, and
 * cancels from outside, are thrown on.
 */
extern char *bi_budget_run(int cpu_ms, void (*code) (void *arg), void *arg);

#endif							/* BI_BUDGET_H */
