/*
 * store/forget.h: deletes a job and all that belongs to it.
 */
#ifndef BI_FORGET_H
#define BI_FORGET_H

#include "postgres.h"

/* The functions below need SPI and a transaction. */

/* True if nothing of the job is left to be removed at its provider; or there is no way to, because
 * its server was dropped. */
extern bool bi_forget_is_clean(int64 job_id);

/* Deletes the job, its chunks, records, results and events, and its rows in in_flight.  The caller
 * has locked it. */
extern void bi_forget_job(int64 job_id);

#endif							/* BI_FORGET_H */
