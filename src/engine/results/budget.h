/*
 * engine/results/budget.h: how much processor time and memory one record may take.
 */
#ifndef BI_BUDGET_H
#define BI_BUDGET_H

#include "postgres.h"

/* Budget of applying paths to one output. */
#define BI_BUDGET_PATHS_MS 1000

/* Budget of checking one output against a schema.  That work is also counted, and the count
 * decides long before: this is for what the count does not know. */
#define BI_BUDGET_SCHEMA_MS 2000

#define BI_BUDGET_MEMORY_MB 512

/*
 * Runs code(arg), which may use cpu_ms of processor time and BI_BUDGET_MEMORY_MB of memory; it
 * must allocate in the current context.  Returns NULL if it ends by itself.  Otherwise cancels
 * it and returns what it took too much of, palloc'd in the current context: "more than 1000 ms of
 * processor time".
 *
 * If code may hold anything except memory, run it in a subtransaction and raise what is returned.
 * All other errors, and cancels from outside, are raised again.
 */
extern char *bi_budget_run(int cpu_ms, void (*code) (void *arg), void *arg);

#endif							/* BI_BUDGET_H */
