/*
 * store/state.c: all states of a chunk and all legal moves, on one screen.
 *
 * No SQL, no clock.  A chunk that waits is in any of these, with a
 * reason and a time.
 */
#include "postgres.h"

#include "store/state.h"

/* Sets of states, as bits. */
#define TO(state) (1 << BI_CHUNK_##state)
#define BACK (TO(UPLOADED) | TO(PLANNED))	/* the batch is to be made again */
/* Where a batch that the provider has can go. */
#define FOLLOWED (TO(CANCELLING) | TO(FETCHING) | BACK | TO(CLEANING))
#define END (TO(DONE) | TO(CANCELLED) | TO(FAILED))

static const struct
{
	const char *name;
	int			moves;
}			states[BI_NCHUNK_STATES] = {
	/* To an end at once: nothing was sent; done: too few to be sent again.  To cleaning: an upload
	 * that failed may have left something.  To delivering: its records are copies. */
	[BI_CHUNK_PLANNED] = {"planned", TO(UPLOADING) | TO(CREATING) | TO(CLEANING) |
	TO(DELIVERING) | END},

	/* Back: the upload was refused for now, or its process ended. */
	[BI_CHUNK_UPLOADING] = {"uploading", TO(UPLOADED) | TO(PLANNED) | TO(CLEANING)},

	/* Back: the provider has lost the file. */
	[BI_CHUNK_UPLOADED] = {"uploaded", TO(CREATING) | TO(PLANNED) | TO(CLEANING)},

	/* Back: it is certain that no batch was made. */
	[BI_CHUNK_CREATING] = {"creating", TO(SUBMITTED) | BACK | TO(CLEANING) | TO(AMBIGUOUS)},

	/* Back: the batch was refused for quota and is made again. */
	[BI_CHUNK_SUBMITTED] = {"submitted", TO(RUNNING) | FOLLOWED | TO(AMBIGUOUS)},
	[BI_CHUNK_RUNNING] = {"running", TO(SUBMITTED) | FOLLOWED | TO(AMBIGUOUS)},
	[BI_CHUNK_CANCELLING] = {"cancelling", TO(FETCHING) | TO(CLEANING) | TO(AMBIGUOUS)},

	/* To cleaning: its server was dropped, and nobody waits for the results. */
	[BI_CHUNK_FETCHING] = {"fetching", TO(DELIVERING) | TO(CLEANING) | TO(AMBIGUOUS)},

	/* Back: its process ended, and what it had fetched went with it.  Copies: back to planned if
	 * they wait for more answers, and to an end, because nothing is at the provider. */
	[BI_CHUNK_DELIVERING] = {"delivering", TO(CLEANING) | TO(FETCHING) | TO(PLANNED) | END},
	[BI_CHUNK_CLEANING] = {"cleaning", END},
	[BI_CHUNK_AMBIGUOUS] = {"ambiguous", TO(SUBMITTED) | TO(RUNNING) | FOLLOWED},
	[BI_CHUNK_DONE] = {"done", 0},
	[BI_CHUNK_CANCELLED] = {"cancelled", 0},
	[BI_CHUNK_FAILED] = {"failed", 0},
};

const char *
bi_state_name(BiChunkState state)
{
	return states[state].name;
}

BiChunkState
bi_state_parse(const char *name)
{
	for (int i = 0; i < BI_NCHUNK_STATES; i++)
		if (strcmp(states[i].name, name) == 0)
			return (BiChunkState) i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown chunk state \"%s\"", name)));
}

bool
bi_state_final(BiChunkState state)
{
	return states[state].moves == 0;
}

bool
bi_state_reserves(BiChunkState state)
{
	return state != BI_CHUNK_PLANNED && state != BI_CHUNK_CLEANING && !bi_state_final(state);
}

bool
bi_state_may_move(BiChunkState from, BiChunkState to)
{
	return from == to ? !bi_state_final(from) : (states[from].moves & (1 << to)) != 0;
}
