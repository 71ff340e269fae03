/*
 * store/replaced.h: the table batchinf.replaced: values whose rows a job has replaced, and the rows
 * that were deleted for that.
 */
#ifndef BI_REPLACED_H
#define BI_REPLACED_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "store/job.h"
#include "store/replace.h"

/* A sum of fingerprints, whatever their order. */
typedef struct BiPrintSum
{
	int64		rows;
	uint64		halves[2];
} BiPrintSum;

/* Adds a fingerprint of 16 bytes. */
extern void bi_replaced_sum(BiPrintSum *sum, const uint8 *print);

/* A value that is being replaced. */
typedef struct BiReplacing
{
	int64		seq;			/* of one of its records; 0: none has come yet */
	int64		removed;		/* rows that were deleted */
	BiPrintSum	added;			/* rows that were added */
	int			pieces;			/* pieces of deleted rows that are stored */
	bool		is_lost;		/* some of these cannot be kept */
	StringInfoData rows;		/* the next piece, without its end */
} BiReplacing;

/*
 * What is kept of the values of one transaction.  Made by bi_replaced_begin, in the current
 * context; the functions below change it, and store what takes much memory.
 */
typedef struct BiReplacings
{
	const BiReplaced *values;
	const List *columns;		/* of deleted rows, as bi_writeback_noted */
	BiReplacing *each;			/* one for each of the values */
	size_t		bytes;			/* of all pieces in memory */
} BiReplacings;

/* All of this needs SPI and a transaction. */

/*
 * Waits until no other transaction replaces rows of the job's target, or puts them back, and keeps
 * others from it until the end of this one.  Of two at once neither would see, and delete, the rows
 * that the other one adds.  Waits as long as lock_timeout says.
 */
extern void bi_replaced_lock(const BiJob *job);

/* Finds those of the job's n values whose rows a later job of its pipeline has replaced.  Fills
 * overtaken, which has place for n, and returns how many there are. */
extern int	bi_replaced_overtaken(const BiJob *job, const pg_uuid_t *values, int n,
								  pg_uuid_t *overtaken);

extern BiReplacings *bi_replaced_begin(const BiReplaced *values, const List *columns);

/* Adds a deleted row of the value of this result: a JSON array of texts; NULL: it cannot be
 * kept. */
extern void bi_replaced_remove(BiReplacings *all, const BiResult *result, const char *row);

/* Adds the rows that the result has added, or those of its items. */
extern void bi_replaced_add(BiReplacings *all, const BiResult *result);

/* Stores all of it. */
extern void bi_replaced_store(BiReplacings *all);

/* The sum as it is stored: a bytea, palloc'd.  True if both are equal. */
extern bytea *bi_replaced_print(const BiPrintSum *sum);
extern bool bi_replaced_equals(const BiPrintSum *sum, int64 rows, const bytea *print);

/* Forgets n values of the job, which were put back: their records are reverted.  seqs: those of
 * the table (int8). */
extern void bi_replaced_forget(int64 job_id, Datum *seqs, int n);

/* Returns how many written records of the job have a value that is not in the table. */
extern int64 bi_replaced_unknown(int64 job_id);

#endif							/* BI_REPLACED_H */
