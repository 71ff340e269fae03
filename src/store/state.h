/*
 * store/state.h: a chunk's states and the legal moves between them.  No SQL.
 */
#ifndef BI_STATE_H
#define BI_STATE_H

#include "postgres.h"

typedef enum BiState
{
	BI_PLANNED,					/* records known, nothing sent */
	BI_UPLOADING,				/* claimed: the input is on its way */
	BI_UPLOADED,				/* the provider has the input */
	BI_CREATING,				/* intent durable: the paid call may be on its way */
	BI_SUBMITTED,				/* the provider gave its batch id */
	BI_RUNNING,					/* the provider says it works on it */
	BI_CANCELLING,				/* asked to cancel, the end not seen yet */
	BI_FETCHING,				/* ended there: results are to be had */
	BI_DELIVERING,				/* results are here and being applied */
	BI_CLEANING,				/* applied: what we left there is removed */
	BI_AMBIGUOUS,				/* no certain answer: waits, never a guess */
	BI_DONE,
	BI_CANCELLED,				/* ended by the user before anything was sent */
	BI_FAILED					/* the provider refused it as a whole */
} BiState;

#define BI_NSTATES (BI_FAILED + 1)

extern const char *bi_state_name(BiState state);
extern BiState bi_state_parse(const char *name);
extern bool bi_state_final(BiState state);
extern bool bi_state_may_move(BiState from, BiState to);

#endif							/* BI_STATE_H */
