/*
 * api/argument.h: the arguments of batch_submit.
 */
#ifndef BI_ARGUMENT_H
#define BI_ARGUMENT_H

#include "postgres.h"

#include "fmgr.h"
#include "store/job.h"

/* Fills of job what the call tells by itself (server and target by name or oid, not looked
 * up; model NULL if not given), and *key, NULL if not given; ereports what cannot be. */
extern void bi_argument_read(FunctionCallInfo fcinfo, BiJob *job, char **key);

#endif							/* BI_ARGUMENT_H */
