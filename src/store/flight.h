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
	int64		requests;
	int64		tokens;
	int64		files;			/* inputs that are there, or on the way */
	bool		behind;			/* a planned chunk that waits for room comes first */
} BiFlight;

/*
 * As chunk sees it, coming: with the batches whose inputs are there already, or on the way.
 * What its owner has paused, and what waits for his key, is not coming; an ambiguous call is
 * forgotten after a day.  First comes the job that has the fewest batches, then the older chunk.
 */
extern BiFlight bi_flight_at(Oid server, const BiChunk *chunk, bool coming);

/* There may be room: the n that are next look at once. */
extern void bi_flight_wake(Oid server, int n);

#endif							/* BI_FLIGHT_H */
