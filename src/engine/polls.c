/*
 * engine/polls.c: which open chunks this process knows, and when each one is polled next.
 *
 * Memory only: no SQL, no clock.  A hash finds a chunk by its id; a heap for each pair of an owner
 * and a server has the one that is polled next.  The pairs are few, so they are a list.
 *
 * Nothing of this is written down.  base/pace.c gives all times of a chunk's polls from the first
 * one, which is in the table, so a process that begins knows as much as the one that has ended.
 */
#include "postgres.h"

#include "base/pace.h"
#include "engine/polls.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* The time between two polls of a chunk grows to ten times the poll interval, and to this time at
 * most, unless the poll interval itself is longer. */
#define CAP_MS (10 * 60 * 1000)

/* All polls of a pair together come this far apart, or farther. */
#define APART_MS 100

struct BiPolls
{
	MemoryContext cxt;
	HTAB	   *chunks;			/* BiPoll by id */
	List	   *pairs;			/* BiPollPair */
};

/* The first one of a heap is the largest for pairingheap.c. */
static int
compare(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const BiPoll *x = pairingheap_const_container(BiPoll, node, a);
	const BiPoll *y = pairingheap_const_container(BiPoll, node, b);

	if (x->at != y->at)
		return x->at < y->at ? 1 : -1;
	return 0;
}

BiPolls *
bi_polls_new(MemoryContext cxt)
{
	BiPolls    *polls = MemoryContextAllocZero(cxt, sizeof(BiPolls));
	HASHCTL		ctl = {.keysize = sizeof(int64), .entrysize = sizeof(BiPoll), .hcxt = cxt};

	polls->cxt = cxt;
	polls->chunks = hash_create("batchinf open chunks", 64, &ctl,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return polls;
}

List *
bi_polls_pairs(const BiPolls *polls)
{
	return polls->pairs;
}

BiPollPair *
bi_polls_pair(BiPolls *polls, Oid owner, Oid server)
{
	BiPollPair *pair;
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, polls->pairs)
	{
		pair = lfirst(cell);
		if (pair->owner == owner && pair->server == server)
			return pair;
	}
	old = MemoryContextSwitchTo(polls->cxt);
	pair = palloc0(sizeof(BiPollPair));
	pair->owner = owner;
	pair->server = server;
	pair->heap.ph_compare = compare;
	polls->pairs = lappend(polls->pairs, pair);
	MemoryContextSwitchTo(old);
	return pair;
}

BiPoll *
bi_polls_find(BiPolls *polls, int64 id)
{
	return hash_search(polls->chunks, &id, HASH_FIND, NULL);
}

void
bi_polls_add(BiPolls *polls, BiPollPair *pair, int64 id, TimestampTz base, TimestampTz at)
{
	BiPoll	   *poll = hash_search(polls->chunks, &id, HASH_ENTER, NULL);

	poll->pair = pair;
	poll->base = base;
	pair->n++;
	bi_polls_put(poll, at);
}

TimestampTz
bi_polls_time(const BiPollPair *pair, TimestampTz base, TimestampTz after)
{
	int64		step = Max(pair->poll_ms, (int64) pair->n * APART_MS);
	int64		cap = Max(step, Min(CAP_MS, 10 * step));

	return bi_pace_next(base, step, cap, after);
}

TimestampTz
bi_polls_pair_next(const BiPollPair *pair)
{
	pairingheap *heap = unconstify(pairingheap *, &pair->heap);
	const BiPoll *first;

	if (pairingheap_is_empty(heap))
		return DT_NOEND;
	first = pairingheap_container(BiPoll, node, pairingheap_first(heap));
	return Max(first->at, pair->not_before);
}

TimestampTz
bi_polls_next(const BiPolls *polls)
{
	TimestampTz next = DT_NOEND;
	ListCell   *cell;

	foreach(cell, polls->pairs)
		next = Min(next, bi_polls_pair_next(lfirst(cell)));
	return next;
}

BiPoll *
bi_polls_take(BiPollPair *pair)
{
	BiPoll	   *poll = pairingheap_container(BiPoll, node, pairingheap_remove_first(&pair->heap));

	poll->under_way = true;
	return poll;
}

void
bi_polls_put(BiPoll *poll, TimestampTz at)
{
	poll->under_way = false;
	poll->at = at;
	pairingheap_add(&poll->pair->heap, &poll->node);
}

void
bi_polls_forget(BiPolls *polls, BiPoll *poll)
{
	if (!poll->under_way)
		pairingheap_remove(&poll->pair->heap, &poll->node);
	poll->pair->n--;
	hash_search(polls->chunks, &poll->id, HASH_REMOVE, NULL);
}

TimestampTz
bi_polls_done_until(const BiPolls *polls, TimestampTz now)
{
	TimestampTz until = now;
	HASH_SEQ_STATUS seq;
	BiPoll	   *poll;

	hash_seq_init(&seq, polls->chunks);
	while ((poll = hash_seq_search(&seq)) != NULL)
		until = Min(until, poll->at - 1);
	return until;
}
