/*
 * worker/pipelines.h: refreshes pipelines by themselves.
 */
#ifndef BI_PIPELINES_H
#define BI_PIPELINES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "engine/xact.h"

/* Refreshes one pipeline of this database that is due, if one is, in a transaction of its own.
 * Returns when the next one is due, DT_NOEND if none is.  An error of the pipeline is recorded with
 * it; only a cancel, and what belongs to no pipeline, is raised. */
extern TimestampTz bi_pipelines_refresh(BiXactMode mode);

#endif							/* BI_PIPELINES_H */
