/*
 * engine/settle.c: the money that was reserved for a chunk is free again.
 *
 * What the chunk's answers cost came into the ledger with them.  Now its reservation has ended:
 * what it did not need is there for others.  If it needed more, a limit may have been passed by
 * what was under way, which is reported here.
 */
#include "postgres.h"

#include "engine/settle.h"
#include "store/ceiling.h"
#include "store/event.h"

void
bi_settle(const BiJob *job, const BiChunk *chunk, BiChunkState from)
{
	ListCell   *cell;

	if (chunk->copies != BI_COPIES_NONE || !bi_state_reserves(from) ||
		bi_state_reserves(chunk->state))
		return;
	foreach(cell, bi_ceiling_passed(job))
	{
		const BiCeiling *ceiling = lfirst(cell);

		bi_event_add(chunk, ceiling->is_budget ? "over budget" : "over max_cost",
					 psprintf("%s: %s US dollars, %s spent", ceiling->name, ceiling->amount,
							  ceiling->spent), 0, NULL);
	}
	bi_ceiling_wake(job);
}
