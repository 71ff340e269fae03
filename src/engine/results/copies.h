/*
 * engine/results/copies.h: the answers of copies, which come from our own tables.
 */
#ifndef BI_RESULTS_COPIES_H
#define BI_RESULTS_COPIES_H

#include "engine/results/accept.h"
#include "engine/results/apply.h"
#include "engine/results/workspace.h"
#include "engine/step.h"

/*
 * The source of the answers of a chunk of copies, as BiReader is of a batch's.  A delivery owns it;
 * only copies.c writes it.
 */
typedef struct BiCopyReader
{
	BiStep	   *step;
	BiWorkspace *space;
	const BiAccept *accept;
	int64		seq;			/* the last record that was read */
	int64		taken;			/* how many answers were read */
	bool		is_at_end;
} BiCopyReader;

/*
 * In the claim's transaction of a chunk of copies: it waits for its sources, or its delivery begins
 * with start.  Nothing is asked of its provider.
 */
extern void bi_copies_claim(BiStep *step, BiStepWork start);

/* Returns a new one, in the step's context. */
extern BiCopyReader *bi_copies_begin(BiStep *step, BiWorkspace *space, const BiAccept *accept);

/*
 * Reads the next answers that are there, as bi_reader_read does.  Runs a transaction of its own;
 * raises an error if that fails.
 */
extern int	bi_copies_read(BiCopyReader *reader, BiResult *results);

/* Saves what follows the last answer: the chunk is done, or waits for more sources, or what has
 * lost its source is sent. */
extern void bi_copies_settle(BiStep *step, const BiCopyReader *reader, BiApply *apply);

#endif							/* BI_RESULTS_COPIES_H */
