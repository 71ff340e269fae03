/*
 * worker/visit.h: one stay of a worker in one database.
 */
#ifndef BI_VISIT_H
#define BI_VISIT_H

#include "postgres.h"

#include "postmaster/bgworker.h"

/* Fills in what RegisterDynamicBackgroundWorker needs for a visit in that database.  The process
 * notify is signalled at its start and end; 0: nobody is. */
extern void bi_visit_describe(BackgroundWorker *worker, Oid database, pid_t notify);

/* The process of a visit.  Never returns. */
extern PGDLLEXPORT void batchinf_visit_main(Datum arg);

#endif							/* BI_VISIT_H */
