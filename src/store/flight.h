/*
 * store/flight.h: how much of a server's limits is in use, and who is next when there is room
 * again.
 */
#ifndef BI_FLIGHT_H
#define BI_FLIGHT_H

#include "store/chunk.h"
#include "store/job.h"

/* A chunk that was called for room must come within so many seconds; then others go first. */
#define BI_FLIGHT_CALLED_S 5

/* What all jobs of this database have at a server.  A plain value. */
typedef struct BiFlight
{
	int64		batches;		/* that the provider has or may have */
	int64		requests;
	int64		tokens;
	int64		files;			/* inputs that are there, or on the way */
	int64		jobs_first;		/* jobs with a planned chunk that waits for room and comes first */
} BiFlight;

/*
 * Returns what is in use at the job's server, for the claim of its chunk.  coming: also counts
 * batches of the same owner whose inputs are there already, or on the way, unless their job is
 * paused or the owner's key is held up.  Inputs of other owners take up no room: nobody can keep a
 * place by them.  An ambiguous call counts for a day.  An owner with fewer batches goes first; of
 * an owner's jobs that with the fewest, then the older chunk.  Who was called and does not come
 * within a moment is passed over; by an owner with as many batches at once.
 */
extern BiFlight bi_flight_at(const BiJob *job, const BiChunk *chunk, bool coming);

/* Makes the next n chunks of each owner due now, of a few owners: the server may have room.  Who
 * does not come within five seconds is passed over. */
extern void bi_flight_wake(Oid server, int n);

#endif							/* BI_FLIGHT_H */
