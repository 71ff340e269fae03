/*
 * engine/spread.c: how the results of a crowded loop are spread over the processes of a database.
 *
 * The first process of a database polls, so it is the one that finds batches complete, and has
 * claimed all chunks of a large job before another process comes.  A chunk's results are in the
 * tables group by group, and who claims the chunk next passes over those that are there.  So a
 * crowded loop gives chunks back, until both have as many.  What that costs is one more download of
 * each such chunk; so one whose rest takes little time stays, and a chunk is given back a few times
 * at most.
 *
 * Code of an owner that is slow runs in one process at a time (share.c): their chunks stay, too.
 */
#include "postgres.h"

#include "engine/results/deliver.h"
#include "engine/spread.h"
#include "utils/timestamp.h"

/* A chunk is given back only if the rest of it takes this long to write, in milliseconds. */
#define WORTH_MS 200

/* A process that is to end delivers results of a chunk for this time, however often it comes: a
 * part of them gets into the tables. */
#define DRAIN_MS 20000

int
bi_spread_load(const List *steps)
{
	int			n = 0;
	ListCell   *cell;

	foreach(cell, steps)
	{
		BiMove		move = ((BiStep *) lfirst(cell))->move;

		n += move == BI_MOVE_FETCH || move == BI_MOVE_COPY;
	}
	return n;
}

/* True if the owner has a step in this loop. */
static bool
is_here(const List *steps, Oid owner)
{
	ListCell   *cell;

	foreach(cell, steps)
		if (((BiStep *) lfirst(cell))->job->owner == owner)
			return true;
	return false;
}

bool
bi_spread_leaves(const BiDriveHost *host, const List *steps, const BiDue *due)
{
	BiChunkState state = due->chunk->state;

	if (due->step && state != BI_CHUNK_FETCHING && state != BI_CHUNK_DELIVERING)
		return false;
	return is_here(steps, due->owner) && host->has_freer(bi_spread_load(steps));
}

static bool
is_worth_it(BiShare *share, const BiStep *step)
{
	return bi_share_estimate(share, step->job->owner, bi_deliver_left(step)) >= WORTH_MS;
}

bool
bi_spread_can_give(BiShare *share, const List *steps)
{
	ListCell   *cell;

	if (bi_spread_load(steps) > 1)
		foreach(cell, steps)
			if (is_worth_it(share, lfirst(cell)))
				return true;
	return false;
}

static void
give_all_back(const List *steps)
{
	ListCell   *cell;

	foreach(cell, steps)
	{
		BiStep	   *step = lfirst(cell);

		if (bi_deliver_left(step) > 0 &&
			TimestampDifferenceExceeds(bi_deliver_since(step), GetCurrentTimestamp(), DRAIN_MS))
			bi_deliver_leave(step);
	}
}

void
bi_spread_give_back(const BiDriveHost *host, BiShare *share, const List *steps, bool drains)
{
	int			load = bi_spread_load(steps);

	if (drains)
	{
		give_all_back(steps);
		return;
	}
	for (int i = list_length(steps) - 1; i >= 0; i--)
	{
		BiStep	   *step = list_nth(steps, i);

		if (!is_worth_it(share, step))
			continue;
		if (!host->hand_over(load))
			return;
		bi_deliver_leave(step);
		load--;
	}
}

bool
bi_spread_has_left(const BiStep *step)
{
	return step->saved_state == BI_CHUNK_DELIVERING;
}
