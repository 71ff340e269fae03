/*
 * engine/results/apply.h: results into the tables and into target rows.
 */
#ifndef BI_APPLY_H
#define BI_APPLY_H

#include "engine/results/workspace.h"
#include "engine/step.h"
#include "store/result.h"
#include "store/tariff.h"

/*
 * The way of a delivery's groups into the tables.  A delivery owns it, for all its groups; only
 * apply.c and second.c write the counts, deliver.c reads them at the end.
 */
typedef struct BiApply
{
	BiStep	   *step;
	BiWorkspace *space;
	BiTariffs	tariffs;		/* what tokens cost */
	bool		is_overdue;		/* answers could not be saved for batchinf.write_give_up */
	int64		unknown;		/* results for a seq that is no record of the chunk */
	int64		unsaved;		/* answers that could not be saved now: they are fetched again */
	char	   *unsaved_why;	/* the first reason, in the step's context */
	Numeric		second_cost;	/* of second answers (second.c), in the step's context; NULL: 0 */
	int64		second_unpriced;
} BiApply;

/*
 * Applies a group in a transaction: results, counts, tokens and target rows together.  What
 * fails as a group is tried one by one.  Returns how many results, from the first, were applied:
 * at least one, and fewer than n if the slice of time has been used up.  Answers that cannot be
 * saved now are counted in apply->unsaved.  The results' strings are in the group's context,
 * which must be current.  No transaction is open before and after; raises a cancel only.
 */
extern int	bi_apply_group(BiApply *apply, BiResult *results, int n);

/*
 * Repeats waiting writes of the chunk, in a transaction, and releases the chunk.  results has
 * space for BI_WORKSPACE_GROUP of them.  Returns NULL, or why it could not be done now: then
 * the chunk is still held.
 */
extern ErrorData *bi_apply_again(BiApply *apply, BiResult *results);

/* A note among the references of a batch: since when (Unix seconds) answers could not be saved. */
#define BI_APPLY_UNSAVED "unsaved"

/* Leaves that note for the next delivery of the same batch; false if it is there already. */
extern bool bi_apply_note_unsaved(BiApply *apply);

/* Returns words about the answers that could not be saved, palloc'd. */
extern char *bi_apply_unsaved(const BiApply *apply);

#endif							/* BI_APPLY_H */
