/*
 * store/after.h: pipelines that come after another one.
 */
#ifndef BI_AFTER_H
#define BI_AFTER_H

#include "postgres.h"

/* Jobs have ended: the pipelines that come after theirs are due.  ids: n of int8.  Needs SPI and a
 * transaction. */
extern void bi_after_wake(Datum *ids, int n);

/* A refresh of this pipeline begins: it sees what the jobs have written that have ended by now.
 * Needs SPI and the lock of the pipeline, and comes before the snapshot of its query. */
extern void bi_after_take(int id);

#endif							/* BI_AFTER_H */
