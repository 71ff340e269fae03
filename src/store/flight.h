/*
 * store/flight.h: how much of a server's limits is in use, and who is next when there
 * is room again.  Called by engine/.
 */
#ifndef BI_FLIGHT_H
#define BI_FLIGHT_H

#include "store/chunk.h"

/* The first words of waiting_for of a chunk that waits for room. */
#define BI_FLIGHT_ROOM "room at the server"

/* What the jobs of this install in this database have at a server. */
typedef struct BiFlight
{
	int64		batches;		/* that the provider has or may have */
	int64		tokens;
	int64		coming_batches; /* whose inputs are uploaded or on the way there */
	int64		coming_tokens;
	bool		behind;			/* a planned chunk that waits for room comes first */
} BiFlight;

/*
 * As chunk sees it.  What its owner has paused, and what waits for his key, is not coming;
 * an ambiguous call is forgotten after a day.  First comes the job that has the fewest
 * batches, then the older chunk.
 */
extern BiFlight bi_flight_at(Oid server, const BiChunk *chunk);

/* There may be room: the n that are next look at once. */
extern void bi_flight_wake(Oid server, int n);

#endif							/* BI_FLIGHT_H */
