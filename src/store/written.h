/*
 * store/written.h: the table batchinf.written: rows that answers have added, or that an upsert has
 * overwritten.
 */
#ifndef BI_WRITTEN_H
#define BI_WRITTEN_H

#include "postgres.h"

#include "store/job.h"
#include "store/result.h"

/* All of this needs SPI and a transaction, except bi_written_key. */

/* Remembers the rows that n results of the job, which are in the table, have written, by their
 * primary keys.  Does nothing for rows whose keys are not known. */
extern void bi_written_store(const BiJob *job, const BiResult *results, int n);

/* Returns the names of the table's primary key, if its values can be read back of a row that role
 * writes: no code of others makes their texts.  Else NIL. */
extern List *bi_written_key(Oid relid, Oid role);

/* Forgets n rows of a job that were put back: numbers of records (int8) and items (int4).
 * Records of which no row is left are reverted. */
extern void bi_written_forget(int64 job_id, Datum *seqs, Datum *items, int n);

/* Returns how many written records of the job have no row that is known. */
extern int64 bi_written_unknown(int64 job_id);

#endif							/* BI_WRITTEN_H */
