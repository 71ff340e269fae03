/*
 * store/once.h: calls that make one job, however often they are made.
 */
#ifndef BI_ONCE_H
#define BI_ONCE_H

#include "postgres.h"

/*
 * The current user calls with that key, and would make the job of that id; given: as in BiRequest.
 * Returns 0 if it is the first call with it: then the job must be made in this transaction.
 * Otherwise returns the id of the first call's job, which may be gone.  Waits for another
 * transaction that makes the first call, and raises ERRCODE_T_R_SERIALIZATION_FAILURE where the
 * snapshot does not show what that has done.  Raises an error if other arguments were given then.
 * Needs SPI and a transaction.
 */
extern int64 bi_once_first(const char *key, const char *given, int64 job_id);

#endif							/* BI_ONCE_H */
