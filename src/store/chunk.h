/*
 * store/chunk.h: the slice of a job that is sent as one provider batch.
 */
#ifndef BI_CHUNK_H
#define BI_CHUNK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "store/batch.h"
#include "store/batchrow.h"
#include "store/state.h"
#include "store/wait.h"

/* An intent is 128 bits in lower-case hex.  Its first 8 characters are part of custom ids. */
#define BI_INTENT_LEN 32
#define BI_NONCE_LEN 8

/* Calls of the provider that were made for a chunk, and bytes of its inputs and results. */
typedef struct BiTraffic
{
	int64		requests;
	int64		bytes_up;
	int64		bytes_down;
} BiTraffic;

/* In SQL, of a chunk's state: its results are final, nothing of it is sent again. */
#define BI_CHUNK_SETTLED "IN ('cleaning', 'done', 'cancelled', 'failed')"

/* What chunks of copies wait for, in words, and how often they look by themselves whether it is
 * there. */
#define BI_CHUNK_COPIES_WAIT "the records whose answers it copies have no final results yet"
#define BI_CHUNK_COPIES_MS 10000

/* Where a chunk's answers come from: see copy.h. */
typedef enum BiCopies
{
	BI_COPIES_NONE,				/* from its provider: it is sent */
	BI_COPIES_REPEAT,			/* from other records of its job */
	BI_COPIES_CACHED			/* from earlier jobs */
} BiCopies;

/*
 * A row of batchinf.chunk.  bi_chunk_due reads it; the step that claims it owns a copy, which its
 * moves change and bi_chunk_save writes.  The planner makes one for each chunk that it inserts.
 */
typedef struct BiChunk
{
	int64		id;
	int64		job_id;
	BiChunkState state;
	int			attempt;		/* of its records, from 1 */
	int			attempts_left;	/* how often its records may be sent again */
	char		intent[BI_INTENT_LEN + 1];
	int64		records;
	int64		bytes;
	int64		tokens;			/* estimated input tokens */
	int			failures;		/* deferrals in a row */
	int			polls;
	int			write_tries;	/* repeats of waiting writes */
	BiTraffic	traffic;		/* since the last save, which adds it to the table */
	BiCopies	copies;
	int64		source_chunk;	/* of repeats: their next answers come from it; 0: not known */
	BiBatch    *batch;			/* its current try; NULL in a chunk that is only inserted */
} BiChunk;

/* What the job's owner asked for after batch_submit. */
typedef enum BiWish
{
	BI_WISH_NONE,
	BI_WISH_CANCEL,
	BI_WISH_DEADLINE			/* the deadline has passed */
} BiWish;

/* A chunk that is due.  It lives for one look of the loop. */
typedef struct BiDue
{
	BiChunk    *chunk;
	BiWish		wish;
	Oid			server;
	Oid			owner;
	bool		step;			/* its next step is due, else only waiting writes are */
	/* how often in a row the server failed for this owner without a good answer since */
	int			server_failures;
	TimestampTz base;			/* of a quiet poll: its next_step_at.  0: an ordinary claim */
	/* its number, those under way included: of its owner's at its server, and of all its owner's */
	int			place;
	int			berth;
} BiDue;

/* When something of an owner is due. */
typedef struct BiOwnerDue
{
	Oid			owner;
	TimestampTz at;
} BiOwnerDue;

/* All functions below need SPI and a transaction.  Their results live in cxt, if they have one. */

/* What a SELECT with a chunk "c" and its try "b" (BI_BATCHROW_JOIN) reads, and bi_chunk_read
 * takes. */
#define BI_CHUNK_COLUMNS \
	"c.chunk_id, c.job_id, c.state, c.attempt, c.attempts_left, c.intent, c.records, c.bytes," \
	" c.tokens, c.failures, c.polls, c.write_tries, c.copies, c.source_chunk, " BI_BATCHROW_COLUMNS
#define BI_CHUNK_NCOLUMNS (14 + BI_BATCHROW_NCOLUMNS)

/* Reads BI_CHUNK_COLUMNS, the first columns of a row of the last statement. */
extern BiChunk *bi_chunk_read(MemoryContext cxt, int64 row);

/* Returns a deep copy in the current context. */
extern BiChunk *bi_chunk_copy(const BiChunk *chunk);

/* Writes a new random intent, of BI_INTENT_LEN characters. */
extern void bi_chunk_new_intent(char *intent);

/* Reserves an id, so that records can name their chunk before it is inserted. */
extern int64 bi_chunk_reserve(void);

/* Inserts a chunk, whose id is reserved, in the first state.  Ignores its batch.  One of copies
 * waits for its sources; cached answers are there. */
extern void bi_chunk_insert(const BiChunk *chunk);

/* Takes the lock by which only one process of the database claims at a time, until the end of the
 * transaction. */
extern void bi_chunk_lock_claims(void);

/* Returns at most n chunks (BiDue) that are due and held by no living process, in the order of
 * the schedule, and locks them.  Sets *more if there are others, or others have locked some. */
extern List *bi_chunk_due(MemoryContext cxt, int n, bool *more);

/* Returns when the next chunk of each owner becomes due (BiOwnerDue), of those that wait for a time
 * and that no living process holds.  An owner who has none is missing. */
extern List *bi_chunk_next_due(MemoryContext cxt);

/* Returns the first time in such a list; DT_NOEND if it is empty. */
extern TimestampTz bi_chunk_first_due(const List *dues);

/* True if any chunk is not finished, held or not, except in jobs and at servers that are paused. */
extern bool bi_chunk_any_unfinished(void);

/* Makes this process hold the chunk.  False if the chunk is gone. */
extern bool bi_chunk_claim(const BiChunk *chunk);

/*
 * Writes all fields of chunk and of its batch.  It must still be in state from, as last seen,
 * and be held by this process; otherwise raises an error of class 40 and writes nothing.
 * release: the hold ends.  delay_ms: when it is due again; wait: why it waits, NULL
 * if it does not; error: NULL keeps the last one.
 */
extern void bi_chunk_save(const BiChunk *chunk, BiChunkState from, bool release,
						  int64 delay_ms, const BiWait *wait, const char *error);

/*
 * Ends this process's hold on the chunk, which stays as it is and is due again delay_ms
 * later; writes: only its waiting writes are put off.  Returns true if the reason is not
 * the one that it gives already.  Nothing happens where the chunk is held by nobody.
 */
extern bool bi_chunk_let_go(int64 chunk_id, bool writes, int64 delay_ms, const BiWait *wait);

/* Reads what the owners of n chunks want now, into wishes. */
extern void bi_chunk_wishes(const int64 *ids, BiWish *wishes, int n);

/* Releases all chunks that this process holds. */
extern void bi_chunk_release_all(void);

/* Makes all waiting chunks and writes of the job due now, unless somebody works on them: what they
 * wait for has changed. */
extern void bi_chunk_hurry(int64 job_id);

#endif							/* BI_CHUNK_H */
