/*
 * intake/sieve.h: rows of the query that open jobs have already are left out.
 */
#ifndef BI_SIEVE_H
#define BI_SIEVE_H

#include "postgres.h"

#include "intake/planner.h"
#include "store/inflight.h"

/* The rows of one query, while it is not known which of them are left out. */
typedef struct BiSieve BiSieve;

/* So many rows are judged at once, at most. */
#define BI_SIEVE_GROUP 1000

/*
 * Who chooses rows, as in a DestReceiver: the caller's own struct begins with this one.  judge sets
 * keep of each of the n rows, which are valid during the call.  may_go_on is called once, when all
 * rows are judged.
 */
typedef struct BiJudge
{
	void		(*judge) (struct BiJudge *judge, const BiDraft *rows, int n, bool *keep);
	bool		(*may_go_on) (struct BiJudge *judge);	/* false: no row is taken after all */
	bool		(*is_chosen) (struct BiJudge *judge, int64 number); /* after that: false: this one
																	 * of the rows that were kept,
																	 * from 0, is left out after
																	 * all; NULL: none is */
} BiJudge;

/* Returns an empty one, in the current context.  wish: what becomes of rows that an open job has.
 * judge: chooses rows before; NULL: all are taken.  SPI must be connected for all functions
 * here. */
extern BiSieve *bi_sieve_new(BiInflight *rows, BiInFlight wish, BiJudge *judge);

/* From now on rows are not taken for the job: it is only looked which of them are in flight. */
extern void bi_sieve_only_look(BiSieve *sieve);

/* Takes the next row.  Rows without input are not sent, so they are never in flight. */
extern void bi_sieve_add(BiSieve *sieve, const BiDraft *row);

/* Once all rows are there: takes those that are not in flight, for the job.  Raises an error for
 * two rows with an equal key, unless all are sent whatever is in flight. */
extern void bi_sieve_shake(BiSieve *sieve);

/* Then: sets *row to the next row that is not left out, in the order in which they were added.
 * False after the last one.  Raises an error for a row in flight, if that is the wish. */
extern bool bi_sieve_next(BiSieve *sieve, BiDraft *row);

/* Returns how many rows were left out so far. */
extern int64 bi_sieve_left_out(const BiSieve *sieve);

/* Frees it. */
extern void bi_sieve_free(BiSieve *sieve);

#endif							/* BI_SIEVE_H */
