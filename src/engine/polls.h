/*
 * engine/polls.h: which open chunks this process knows, and when each one is polled next.
 */
#ifndef BI_POLLS_H
#define BI_POLLS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/pairingheap.h"
#include "nodes/pg_list.h"

/* The memory of one loop.  A reset of its context frees it. */
typedef struct BiPolls BiPolls;

/* The open chunks of one owner at one server.  Made for the first of them, lives as long as the
 * memory.  quiet.c writes poll_ms and not_before. */
typedef struct BiPollPair
{
	Oid			owner;
	Oid			server;
	int			n;				/* its chunks, those that are being polled included */
	int64		poll_ms;		/* the poll interval of the server; 0: not known yet */
	TimestampTz not_before;		/* none of them is polled before */
	pairingheap heap;			/* of its BiPoll that are not being polled, by at */
} BiPollPair;

/* An open chunk.  In a heap, or being polled. */
typedef struct BiPoll
{
	int64		id;				/* of the chunk */
	BiPollPair *pair;
	TimestampTz base;			/* time of its first poll */
	TimestampTz at;				/* time of its next poll, or of the one under way */
	bool		under_way;		/* it is being polled */
	pairingheap_node node;
} BiPoll;

/* Returns an empty memory. */
extern BiPolls *bi_polls_new(MemoryContext cxt);

/* Returns all pairs (BiPollPair). */
extern List *bi_polls_pairs(const BiPolls *polls);

/* Returns the pair, which may be new. */
extern BiPollPair *bi_polls_pair(BiPolls *polls, Oid owner, Oid server);

/* Returns the chunk; NULL if it is not known. */
extern BiPoll *bi_polls_find(BiPolls *polls, int64 id);

/* Adds a chunk that is not known, with its next poll at that time. */
extern void bi_polls_add(BiPolls *polls, BiPollPair *pair, int64 id, TimestampTz base,
						 TimestampTz at);

/* Returns the first time after that one at which a chunk of the pair with that base is polled.  It
 * depends on the pair's poll interval, or on the number of its chunks where they are many. */
extern TimestampTz bi_polls_time(const BiPollPair *pair, TimestampTz base, TimestampTz after);

/* Returns when a chunk of the pair is polled next; DT_NOEND: never. */
extern TimestampTz bi_polls_pair_next(const BiPollPair *pair);

/* The same of all pairs. */
extern TimestampTz bi_polls_next(const BiPolls *polls);

/* Takes the chunk of the pair that is polled next: it counts as being polled. */
extern BiPoll *bi_polls_take(BiPollPair *pair);

/* The chunk is not being polled any more, or not yet: its next poll is at that time. */
extern void bi_polls_put(BiPoll *poll, TimestampTz at);

/* The chunk is not open any more. */
extern void bi_polls_forget(BiPolls *polls, BiPoll *poll);

/* Returns a time before which no poll is left to do, now at the latest. */
extern TimestampTz bi_polls_done_until(const BiPolls *polls, TimestampTz now);

#endif							/* BI_POLLS_H */
