/*
 * store/chunk.h: the slice of a job that is sent as one provider batch.
 */
#ifndef BI_CHUNK_H
#define BI_CHUNK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "store/ref.h"
#include "store/state.h"

/* A lower-case hex token of 128 bits; its first 8 characters stand in custom ids. */
#define BI_INTENT_LEN 32
#define BI_NONCE_LEN 8

typedef struct BiChunk
{
	int64		id;
	int64		job_id;
	BiState		state;
	int			attempt;		/* of its records, from 1 */
	int			attempts_left;	/* how often its records may be sent again */
	char		intent[BI_INTENT_LEN + 1];
	int			tries;			/* create calls begun; part of the token at the provider */
	int64		records;
	int64		bytes;
	int64		tokens;			/* estimated input tokens */
	char	   *batch_id;		/* provider's, or NULL */
	char	   *batch_end;		/* completed, failed, expired, cancelled; NULL before the end */
	List	   *refs;			/* of BiRef */
	TimestampTz claimed_at;		/* of the last create call; DT_NOEND before the first */
	int			failures;		/* deferrals in a row */
	int			polls;
	int			write_tries;	/* repeats of waiting writes */
	TimestampTz submitted_at;
} BiChunk;

/* What the job's owner asked for since. */
typedef enum BiWish
{
	BI_WISH_NONE,
	BI_WISH_CANCEL,
	BI_WISH_DEADLINE			/* it has passed */
} BiWish;

/* A chunk that wants something now. */
typedef struct BiDue
{
	BiChunk    *chunk;
	BiWish		wish;
	Oid			server;
	Oid			owner;
	bool		step;			/* its next step is due, else only waiting writes are */
	int			server_failures;	/* the server was paused that often in a row and not heard since */
	bool		all_failed;		/* … for everybody, and not for this owner's key alone */
} BiDue;

/* Results of the functions below live in cxt.  All need SPI and a transaction. */

/* In the current context. */
extern BiChunk *bi_chunk_copy(const BiChunk *chunk);

/* A fresh intent. */
extern void bi_chunk_new_intent(char *intent);

/* Reserves an id, so that records can name their chunk before it is inserted. */
extern int64 bi_chunk_reserve(void);
extern void bi_chunk_insert(const BiChunk *chunk);

/* One claim at a time in a database; held to the end of the transaction. */
extern void bi_chunk_lock_claims(void);

/* The chunks that are due and held by nobody alive, locked: a share for each server, so
 * that one which does not answer leaves room to the others.  At most room, but up to
 * room_for_others where a server has none under way. */
extern List *bi_chunk_due(MemoryContext cxt, int room, int room_for_others);

/* When the next one is due: DT_NOEND for none.  Those held by a living process,
 * this one included, are not counted; *unfinished: is any chunk unfinished at all,
 * whoever holds it (paused jobs aside), or a job that could not be ended yet? */
extern TimestampTz bi_chunk_next_due(bool *unfinished);

/* This process holds it from now on; false: it is there no more. */
extern bool bi_chunk_claim(const BiChunk *chunk);

/*
 * Writes all fields of chunk, which was in state from when last seen and must still be
 * so and be held by this process; else an error of class 40 (nothing is written).
 * release: the hold ends.  delay_ms: when it is due again; waiting_for: NULL or why it
 * waits; error: NULL keeps the last one.
 */
extern void bi_chunk_save(const BiChunk *chunk, BiState from, bool release,
						  int64 delay_ms, const char *waiting_for, const char *error);

/*
 * Ends this process's hold on the chunk, which stays as it is and is due again delay_ms
 * later; writes: only its waiting writes are put off.  Returns true if the reason is not
 * the one that it gives already.  Nothing happens where the chunk is held by nobody.
 */
extern bool bi_chunk_let_go(int64 chunk_id, bool writes, int64 delay_ms, const char *reason);

/* What the owners of n chunks wish now, into wishes. */
extern void bi_chunk_wishes(const int64 *ids, BiWish *wishes, int n);

/* Ends this process's hold on everything; after an error nobody foresaw. */
extern void bi_chunk_release_all(void);

/* Is that batch one that a chunk has, or had? */
/* What of this job waits, and is not being worked on, is due at once: somebody has changed what it
 * waits for. */
extern void bi_chunk_hurry(int64 job_id);

extern bool bi_chunk_owns_batch(const char *batch_id);

#endif							/* BI_CHUNK_H */
