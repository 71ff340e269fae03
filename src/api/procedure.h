/*
 * api/procedure.h: what functions about one job, and procedures that commit, have in common.
 */
#ifndef BI_PROCEDURE_H
#define BI_PROCEDURE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

/* Raises an error inside a transaction block, or a function, where no commit is possible. */
extern void bi_procedure_require_no_block(FunctionCallInfo fcinfo, const char *name);

/*
 * Returns the time at which the interval in argument i will have passed, or DT_NOEND if it is NULL.
 * Raises an error if it is negative.
 */
extern TimestampTz bi_procedure_until(FunctionCallInfo fcinfo, int i, const char *name);

/* Returns argument 0, a job's id.  Raises an error if it is NULL. */
extern int64 bi_procedure_job(FunctionCallInfo fcinfo);

/* Connects to SPI so that commits are possible; the caller calls SPI_finish. */
extern void bi_procedure_connect(void);

#endif							/* BI_PROCEDURE_H */
