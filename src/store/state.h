/*
 * store/state.h: a chunk's states and the legal moves between them.  No SQL.
 */
#ifndef BI_STATE_H
#define BI_STATE_H

#include "postgres.h"

typedef enum BiChunkState
{
	BI_CHUNK_PLANNED,					/* records known, nothing sent */
	BI_CHUNK_UPLOADING,				/* claimed: the input is on its way */
	BI_CHUNK_UPLOADED,				/* the provider has the input */
	BI_CHUNK_CREATING,				/* intent durable: the paid call may be on its way */
	BI_CHUNK_SUBMITTED,				/* the provider gave its batch id */
	BI_CHUNK_RUNNING,					/* the provider says it works on it */
	BI_CHUNK_CANCELLING,				/* asked to cancel, the end not seen yet */
	BI_CHUNK_FETCHING,				/* ended there: results are to be had */
	BI_CHUNK_DELIVERING,				/* results are here and being applied */
	BI_CHUNK_CLEANING,				/* applied: what we left there is removed */
	BI_CHUNK_AMBIGUOUS,				/* no certain answer: waits, never a guess */
	BI_CHUNK_DONE,
	BI_CHUNK_CANCELLED,				/* ended by the user before anything was sent */
	BI_CHUNK_FAILED					/* the provider refused it as a whole */
} BiChunkState;

#define BI_NCHUNK_STATES (BI_CHUNK_FAILED + 1)

extern const char *bi_state_name(BiChunkState state);
extern BiChunkState bi_state_parse(const char *name);
extern bool bi_state_final(BiChunkState state);
/* True if a chunk in this state may cost money, or will at once, and not all of its answers are
 * here: it keeps what it has reserved. */
extern bool bi_state_reserves(BiChunkState state);

extern bool bi_state_may_move(BiChunkState from, BiChunkState to);

#endif							/* BI_STATE_H */
