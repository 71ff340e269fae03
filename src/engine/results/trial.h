/*
 * engine/results/trial.h: what an answer would put into rows of a target.
 */
#ifndef BI_TRIAL_H
#define BI_TRIAL_H

#include "engine/results/workspace.h"
#include "store/writeback.h"

/* A target into which answers are put on trial.  A variable of the caller, made by bi_trial_open;
 * what it points to lives as long as the context of that call. */
typedef struct BiTrial
{
	const BiTarget *target;
	BiWriteback *wb;
	BiWorkspace space;
} BiTrial;

extern void bi_trial_open(BiTrial *trial, BiTarget *target);

/*
 * Returns what the output of an accepted answer would put into the columns: a JSON object, or an
 * array of one for each item, palloc'd in the current context.  NULL if that is nothing: the
 * outcome is not a success, or ceases to be one because the output does not fit, or
 * result->write_error says why the columns do not take it.  result has the record's id, key and
 * columns.  Runs as the current user, in their transaction.
 */
extern char *bi_trial_run(BiTrial *trial, BiResult *result);

#endif							/* BI_TRIAL_H */
