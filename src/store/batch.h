/*
 * store/batch.h: the tries of a chunk: each is one batch at a provider, or what came of it.
 */
#ifndef BI_BATCH_H
#define BI_BATCH_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "store/ref.h"

/* How a batch ended, as the provider reports it or as we decided. */
typedef enum BiBatchEnd
{
	BI_BATCH_END_NONE,			/* it has not ended, or no batch was made */
	BI_BATCH_END_COMPLETED,
	BI_BATCH_END_FAILED,		/* refused as a whole */
	BI_BATCH_END_EXPIRED,
	BI_BATCH_END_CANCELLED
} BiBatchEnd;

/*
 * The current try of a chunk: a row of batchinf.batch.
 *
 * Every BiChunk has one, in the chunk's memory context, from the read of the chunk to the end of
 * its step.  Moves of a step change it in memory; bi_chunk_save writes it in the transaction that
 * records the move.  Nobody else writes the table.
 *
 * A try begins with the upload of the input, or with its create call where the input travels with
 * that call.  It is over when its batch has ended, or when the next try begins.  The next try
 * takes over refs, because the uploaded input is used again.
 */
typedef struct BiBatch
{
	int			try;			/* from 1; part of the token at the provider.  0 before the first */
	char	   *id;				/* the provider's id of the batch; NULL if unknown */
	BiBatchEnd	end;
	List	   *refs;			/* of BiRef: files at the provider, and notes of the engine */
	char	   *account;		/* digest of address and key of a create call of unknown fate, which
								 * only the same account can find; else NULL */
	TimestampTz claimed_at;		/* start of the create call; DT_NOEND: it has not begun */
	TimestampTz submitted_at;	/* the provider gave its id; DT_NOEND: it has not.  Only read */
	/* the largest number that a row of this chunk has, twins included */
	int			newest;
	List	   *buried;			/* of char *: ids of batches that nobody follows any more.  They are
								 * never taken for another one, and go when the chunk is cleaned */
	List	   *twins;			/* of char *: the last of buried, which have no row yet */
} BiBatch;

/* Returns the try before the first one, palloc'd in the current context: all empty. */
extern BiBatch *bi_batch_new(void);

/* Returns a deep copy in the current context. */
extern BiBatch *bi_batch_copy(const BiBatch *batch);

/* Makes sure that a try has begun: number 1 if none has. */
extern void bi_batch_begin(BiBatch *batch);

/* Begins the create call of a try at now, by account (copied).  A try has one call: the next try
 * begins first if this one had its call already. */
extern void bi_batch_begin_call(BiBatch *batch, const char *account, TimestampTz now);

/* Ends the try, begun or not, without a change of its batch's id. */
extern void bi_batch_finish(BiBatch *batch, BiBatchEnd end);

/* Gives up the batch of this try, which has an id, and begins the next try. */
extern void bi_batch_bury(BiBatch *batch);

/* Notes another batch (id is copied) that the create call of this try has also made. */
extern void bi_batch_bury_twin(BiBatch *batch, const char *id);

/* Returns the i-th id of a batch of the chunk, from 0: that of this try, if it has one, then those
 * that are buried.  NULL if there are no more. */
extern char *bi_batch_known(const BiBatch *batch, int i);

/* True if id is in batch->buried. */
extern bool bi_batch_is_buried(const BiBatch *batch, const char *id);

/* Returns the word of the table, a constant; NULL for BI_BATCH_END_NONE. */
extern const char *bi_batch_end_name(BiBatchEnd end);

/* Returns the end with that word; BI_BATCH_END_NONE for NULL and for a word that is unknown. */
extern BiBatchEnd bi_batch_end_parse(const char *name);

#endif							/* BI_BATCH_H */
