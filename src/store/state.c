/*
 * store/state.c: all states of a chunk and all legal moves, on one screen.
 *
 * No SQL, no clock.  "waiting" of the views is no state: it is any of these with a
 * reason and a time.  Called by store/chunk.c before each transition.
 */
#include "postgres.h"

#include "store/state.h"

#define TO(state) (1 << (state))

static const struct
{
	const char *name;
	int			moves;
}			states[BI_NSTATES] = {
	/* cancelling before anything was sent ends a chunk at once; done: too few to be sent again;
	 * cleaning: an upload that failed may have left something */
	[BI_PLANNED] = {"planned", TO(BI_UPLOADING) | TO(BI_CREATING) | TO(BI_CLEANING) | TO(BI_CANCELLED) | TO(BI_FAILED) | TO(BI_DONE)},
	/* back: the upload was refused for now, or its worker died */
	[BI_UPLOADING] = {"uploading", TO(BI_UPLOADED) | TO(BI_PLANNED) | TO(BI_CLEANING)},
	/* back: the provider has lost the file */
	[BI_UPLOADED] = {"uploaded", TO(BI_CREATING) | TO(BI_PLANNED) | TO(BI_CLEANING)},
	/* back: it is certain that no batch was made */
	[BI_CREATING] = {"creating", TO(BI_SUBMITTED) | TO(BI_UPLOADED) | TO(BI_PLANNED) | TO(BI_CLEANING) | TO(BI_AMBIGUOUS)},
	/* back to uploaded: the batch was refused for quota and is made again */
	[BI_SUBMITTED] = {"submitted", TO(BI_RUNNING) | TO(BI_CANCELLING) | TO(BI_FETCHING) | TO(BI_UPLOADED) | TO(BI_PLANNED) | TO(BI_CLEANING) | TO(BI_AMBIGUOUS)},
	[BI_RUNNING] = {"running", TO(BI_SUBMITTED) | TO(BI_CANCELLING) | TO(BI_FETCHING) | TO(BI_UPLOADED) | TO(BI_PLANNED) | TO(BI_CLEANING) | TO(BI_AMBIGUOUS)},
	[BI_CANCELLING] = {"cancelling", TO(BI_FETCHING) | TO(BI_CLEANING) | TO(BI_AMBIGUOUS)},
	/* to cleaning: its server was dropped, and nobody waits for it */
	[BI_FETCHING] = {"fetching", TO(BI_DELIVERING) | TO(BI_CLEANING) | TO(BI_AMBIGUOUS)},
	/* back: its worker died, and what it had fetched with it */
	[BI_DELIVERING] = {"delivering", TO(BI_CLEANING) | TO(BI_FETCHING)},
	[BI_CLEANING] = {"cleaning", TO(BI_DONE) | TO(BI_CANCELLED) | TO(BI_FAILED)},
	[BI_AMBIGUOUS] = {"ambiguous", TO(BI_SUBMITTED) | TO(BI_RUNNING) | TO(BI_CANCELLING) | TO(BI_FETCHING) | TO(BI_UPLOADED) | TO(BI_PLANNED) | TO(BI_CLEANING)},
	[BI_DONE] = {"done", 0},
	[BI_CANCELLED] = {"cancelled", 0},
	[BI_FAILED] = {"failed", 0},
};

const char *
bi_state_name(BiState state)
{
	return states[state].name;
}

BiState
bi_state_parse(const char *name)
{
	for (int i = 0; i < BI_NSTATES; i++)
		if (strcmp(states[i].name, name) == 0)
			return (BiState) i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown chunk state \"%s\"", name)));
}

bool
bi_state_final(BiState state)
{
	return states[state].moves == 0;
}

bool
bi_state_may_move(BiState from, BiState to)
{
	return from == to ? !bi_state_final(from) : (states[from].moves & TO(to)) != 0;
}
