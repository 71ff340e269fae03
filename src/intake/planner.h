/*
 * intake/planner.h: numbers the records of a job and cuts them into chunks while they stream past.
 */
#ifndef BI_PLANNER_H
#define BI_PLANNER_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "provider/provider.h"

/* A row of the query that becomes a record. */
typedef struct BiDraft
{
	char	   *record_id;
	List	   *key;			/* char *, as in BiRow */
	char	   *input;			/* NULL: it is skipped */
	List	   *columns;		/* char *, as in BiRow */

	/* Set by repeats.c. */
	BiCopies	copies;			/* its answer is that of another record: it is not sent */
	int64		source_job;		/* of a cached one: the earlier job; 0: the source is in this one */
	int64		source_seq;		/* that record */
	bool		is_of_cached;	/* the source of a repeat is cached itself */
} BiDraft;

/*
 * Where records go, as in a DestReceiver: the caller's own struct begins with this one.  The caller
 * makes it, and it must live until bi_planner_finish has returned.  The planner keeps no record,
 * and calls:
 *
 *     on_chunk, then on_record for each record of that chunk, among those of others; on_record for
 *     skipped records anywhere; at the end, perhaps, on_move
 *
 * A function that is NULL is not called.  All may raise errors.
 */
typedef struct BiSink
{
	/* A chunk begins.  The sink may give it an id, a job and an intent. */
	void		(*on_chunk) (struct BiSink *sink, BiChunk *chunk);

	/*
	 * A record.  seq counts from 1.  chunk and its input are NULL if it is skipped; its key is NIL
	 * unless it has several columns.  The draft is valid during the call only.
	 */
	void		(*on_record) (struct BiSink *sink, int64 seq, const BiChunk *chunk,
							  const BiDraft *draft);

	/* The last n records of from become records of to. */
	void		(*on_move) (struct BiSink *sink, const BiChunk *from, const BiChunk *to, int n);
} BiSink;

/* What became of the records. */
typedef struct BiPlanned
{
	int64		records;		/* all of them, skipped ones included */
	int64		skipped;		/* those without input */
	int64		already;		/* rows beside these that were left out: open jobs have them */
	int64		repeats;		/* of records: they have the answer of another one ... */
	int64		cached;			/* ... or of an earlier job */
	List	   *chunks;			/* of BiChunk, with their records, bytes and tokens */
	List	   *copies;			/* the same, of repeats and cached records: these are not sent */
} BiPlanned;

typedef struct BiPlanner BiPlanner;

/*
 * Returns a planner in the current memory context, where its chunks live too.  The limits, the
 * frame (that has its parts before the first record with input) and the sink must live as long.
 *
 * If the job has a max_failure_rate, its first chunk has few records (BI_RATE_ENOUGH): their
 * answers say whether the others are sent at all.
 */
extern BiPlanner *bi_planner_new(const BiSpec *spec, const BiLimits *limits, const BiFrame *frame,
								 BiSink *sink);

/* Takes the next record.  Raises an error if its request is larger than a whole batch may be. */
extern void bi_planner_add(BiPlanner *planner, const BiDraft *draft);

/*
 * Returns what was planned.  Raises an error for a key that two records have, and if the records
 * cannot be cut into chunks that are neither too small nor too large for a batch.
 */
extern BiPlanned bi_planner_finish(BiPlanner *planner);

/* Raises the error for a key that two records have. */
extern void bi_planner_refuse_equal(const char *record_id);

/* Returns the key of a record as messages show it: its first 200 characters. */
extern const char *bi_planner_shown(const char *record_id);

#endif							/* BI_PLANNER_H */
