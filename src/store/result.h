/*
 * store/result.h: the table batchinf.result: what each attempt of a record brought.
 */
#ifndef BI_RESULT_H
#define BI_RESULT_H

#include "nodes/pg_list.h"
#include "store/chunk.h"
#include "store/outcome.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

/*
 * A result on its way into the table, or back from it for a repeated write.
 *
 * A source of answers (engine/results/reader.c) sets seq and answer; each of the functions named
 * below sets its part.  It lives in the memory of its group, and its strings with it.
 */
typedef struct BiResult
{
	int64		seq;			/* the number of its record in the job */
	BiAnswer	answer;
	bool		is_second;		/* the record has an answer of this delivery already: no result */

	/* Set by bi_result_lookup. */
	bool		known;			/* it is a record of this chunk */
	bool		delivered;		/* the table has its result already */
	char	   *record_id;
	List	   *key;			/* the parts of a composite key, cstrings; else NIL */
	bytea	   *guard;			/* what its row held at submit (guard.h), or NULL */
	List	   *columns;		/* the values of BiSpec.columns, char *; NULL for a null */

	/* Set by charge.c, of what is known and not delivered. */
	Numeric		cost;			/* in US dollars; NULL: unpriced */
	Numeric		realtime_cost;	/* the same at the standard prices of real time */
	bool		is_wasted;		/* its money brought nothing */
	const char *booked_as;		/* the model in the ledger */

	/* Set by bi_result_waiting. */
	bool		overdue;		/* its write has waited for batchinf.write_give_up */
	pg_uuid_t	value;			/* of a replace: which value its rows replace (record.value) */

	/* Set by the write-back. */
	char	  **values;			/* a JSON text for each target column, see writeback.h; or NULL */
	List	   *row_key;		/* primary key of the row that was added, or that an upsert has
								 * overwritten, char *; NIL: not known */
	int			ordinal;		/* of an item: its number, from 1; else 0 */
	struct BiResult *items;		/* with BiSpec.each: a copy of the result for each item of the
								 * output, with values and a write state of its own; else NULL */
	int			nitems;			/* how many */
	int			items_failed;	/* how many of them were not written */
	BiWriteState write_state;
	char	   *write_error;	/* why it is not written; NULL if it is */
	char	   *old;			/* what the row held in the written columns: a JSON array of texts;
								 * NULL if that is unknown.  Counts only for what is written, as
								 * print does */
	bytea	   *print;			/* fingerprint of what it holds since; NULL if that is unknown */
} BiResult;

/* All of this needs SPI and a transaction. */

/* Finds the records of results[0..n): fills known to guard, in cxt. */
extern void bi_result_lookup(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int n);

/* Inserts the results that are known and not delivered, with what they cost, and adds to the
 * chunk's counts those that are final: a retryable one with attempts left is not.  Money and tokens
 * count for all of them, here and in the ledger.  A second time it changes nothing.
 * False if not all of them were inserted: rows that their writes have added must not stand. */
extern bool bi_result_insert(const BiChunk *chunk, const BiResult *results, int n);

/* Sets differs[i] where results[i] is not what the table has as the answer to its record, in this
 * chunk: the model has answered twice.  An exact copy is the same answer. */
extern void bi_result_compare(const BiChunk *chunk, const BiResult *results, bool *differs, int n);

/*
 * Reads waiting writes of chunk into results, in cxt: at most limit of them.  Returns how many.
 * Their order changes with the chunk's write_tries, so that rows that stay locked do not stand
 * before the others for ever.
 */
extern int	bi_result_waiting(MemoryContext cxt, const BiChunk *chunk, BiResult *results,
							  int limit);

/* What bi_result_read_waiting reads of result s and record r, in its order. */
#define BI_RESULT_WAITING \
	"s.seq, s.outcome, s.output, s.output_json, r.record_id, r.key," \
	" EXTRACT(epoch FROM now() - COALESCE(s.write_asked, s.finished_at))::int8," \
	" r.guard, r.columns, r.value"

/* Reads the n rows of the last statement into results, in cxt. */
extern void bi_result_read_waiting(MemoryContext cxt, BiResult *results, int n);

/* Saves the new states of those writes and releases the chunk, whose writes are due again
 * delay_ms later.  Returns as bi_result_insert. */
extern bool bi_result_rewritten(const BiChunk *chunk, const BiResult *results, int n,
								int64 delay_ms);

/* Saves that n written records (seqs: int8) were put back, and counts them.  The caller has locked
 * the job. */
extern void bi_result_revert(int64 job_id, Datum *seqs, int n);

#endif							/* BI_RESULT_H */
