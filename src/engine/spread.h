/*
 * engine/spread.h: how the results of a crowded loop are spread over the processes of a database.
 */
#ifndef BI_SPREAD_H
#define BI_SPREAD_H

#include "engine/host.h"
#include "engine/share.h"
#include "store/chunk.h"

/* Returns how many of the steps fetch or deliver results: what a process can have too much of. */
extern int	bi_spread_load(const List *steps);

/* True if this crowded loop leaves a chunk that is due to another process. */
extern bool bi_spread_leaves(const BiDriveHost *host, const List *steps, const BiDue *due);

/* True if the loop has results that another process could take over. */
extern bool bi_spread_can_give(BiShare *share, const List *steps);

/*
 * Gives chunks of a crowded loop back, whose results take more time, as long as another process has
 * fewer.  drains: the process is to end what it has, because others wait for its place: gives back
 * all that it has worked on for a while.  These steps are over after their next piece of work; the
 * others are woken then.
 */
extern void bi_spread_give_back(const BiDriveHost *host, BiShare *share, const List *steps,
								bool drains);

/* True if the step, which is over, has left results that are due now. */
extern bool bi_spread_has_left(const BiStep *step);

#endif							/* BI_SPREAD_H */
