/*
 * engine/results/swap.c: the rows of a value are replaced, once all of its answers are there.
 *
 * Answers of such a job are stored when they come, and written later, from the tables.  Several
 * values with few answers are written by one try; if it fails each of them has its own.  A value is
 * written in a subtransaction of its own, piece after piece, so that memory stays bounded: its
 * old rows are deleted with the first piece.  If one row of it fails, its old rows stay.  One
 * transaction at a time replaces rows of a table.
 *
 * An old job of a pipeline may write once more, by batch_retry or batch_rewrite.  A value that a
 * later job has replaced since then is stale.
 */
#include "postgres.h"

#include "base/crash.h"
#include "engine/results/blame.h"
#include "engine/results/items.h"
#include "engine/results/swap.h"
#include "engine/results/write.h"
#include "miscadmin.h"
#include "store/pipeline.h"
#include "store/replaced.h"
#include "store/written.h"
#include "utils/memutils.h"

/* The values of one transaction.  On the stack of bi_swap_write. */
typedef struct Swap
{
	BiWriting	writing;		/* first: its write function knows the rest */
	BiWriteTask task;
	BiWorkspace piece;			/* its group_cxt holds one piece */
	MemoryContext cxt;			/* holds what lives as long as the Swap */
	BiResult   *results;		/* of one piece */
	BiResult  **outputs;		/* the same */
	int			noutputs;
	const BiReplaced *replaced; /* what the next try writes */
	BiReplacings *replacings;	/* what is kept of it; NULL: nothing */
	BiNotes    *notes;			/* the rows that the first piece deletes; NULL: not noted */
	bool		is_first;		/* the next piece is the first one */
	bool		is_overdue;		/* they have waited for batchinf.write_give_up */
	bool		is_settled;		/* some are written, or have failed for good */
} Swap;

/* Finding complete values */

typedef struct Mark
{
	BiStep	   *step;
	pg_uuid_t	last;
	bool		found;
} Mark;

static void
mark_phase(void *arg)
{
	Mark	   *mark = arg;

	mark->found = bi_replace_mark(mark->step->chunk, &mark->last);
	BI_CRASH_POINT("replace", "marking");
}

bool
bi_swap_mark(BiStep *step, pg_uuid_t *last)
{
	Mark		mark = {step, *last};
	ErrorData  *error = bi_xact_run(step->mode, mark_phase, &mark);

	/* others write values of the same chunks: the same again */
	if (error && bi_xact_is_for_now(error))
		return true;
	if (error)
		ReThrowError(error);
	*last = mark.last;
	BI_CRASH_POINT("replace", "marked");
	return mark.found;
}

/* Writing them */

static void
write_piece(BiWriting *writing)
{
	const Swap *swap = (const Swap *) writing;
	/* Each output of a value has its keys: one is enough, and each more one joins all old rows. */
	int			n = swap->replaced->nvalues == 1 ? 1 : swap->noutputs;

	if (swap->is_first)
	{
		bi_writeback_remove(writing->wb, swap->outputs, n, swap->notes, writing->lock_ms);
		BI_CRASH_POINT("replace", "removed");
	}
	bi_items_write_rows(writing);
}

/* Raises an error if an output does not fit any more. */
static void
find_output(Swap *swap, BiResult *result)
{
	swap->is_overdue |= result->overdue;
	if (result->answer.output == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the output is removed")));
	if (bi_writeback_must_find(swap->writing.wb, result))
		bi_write_find(&swap->writing, result);
	if (result->write_error)
		ereport(ERROR,
				(errcode(result->write_state == BI_WRITE_WAITING
						 ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_DATA_EXCEPTION),
				 errmsg("%s", result->write_error)));
}

/* Finds the values of a piece until its memory is full.  Returns of how many results.  Raises an
 * error if the time has been used up: others wait meanwhile. */
static int
find_piece(Swap *swap, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && bi_workspace_is_full(&swap->piece))
			return i;
		if (i > 0 && bi_writing_is_over(&swap->writing, true))
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("the rows of a value take too much time together"),
					 errhint("See batchinf.write_timeout.")));
		find_output(swap, &swap->results[i]);
	}
	return n;
}

/* Keeps the rows that were deleted with the first piece. */
static void
keep_removed(Swap *swap)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf deleted row",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	int			number;
	char	   *row;

	while (bi_note_next(swap->notes, &number, &row))
	{
		CHECK_FOR_INTERRUPTS();
		bi_replaced_remove(swap->replacings, swap->outputs[number - 1], row);
		MemoryContextReset(cxt);
	}
	bi_note_end(swap->notes);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/* Keeps what the piece has deleted and added. */
static void
keep_piece(Swap *swap, int n)
{
	bi_written_store(swap->task.step->job, swap->results, n);
	if (swap->replacings == NULL)
		return;
	if (swap->is_first)
		keep_removed(swap);
	for (int i = 0; i < n; i++)
		bi_replaced_add(swap->replacings, &swap->results[i]);
}

/* Writes the next piece, whose results come after that number.  Returns how many there are. */
static int
swap_piece(Swap *swap, int64 after_seq)
{
	BiWriting  *writing = &swap->writing;
	ErrorData  *error;
	int			n = bi_replace_read(swap->piece.group_cxt, swap->replaced, after_seq,
									swap->results, BI_WORKSPACE_GROUP);

	if (n == 0)
		return 0;
	n = find_piece(swap, n);
	/* The old rows of all values are deleted with the first piece. */
	if (swap->replaced->nvalues > 1 && n < swap->replaced->results)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("values are too large to be written together")));
	swap->outputs = palloc(sizeof(BiResult *) * n);
	swap->noutputs = n;
	for (int i = 0; i < n; i++)
		swap->outputs[i] = &swap->results[i];
	bi_items_take_rows(writing, swap->outputs, n);
	bi_writeback_keep_in(writing->wb, swap->piece.group_cxt);
	if (swap->is_first && swap->replacings)
		swap->notes = bi_note_new(true);
	error = bi_writing_try(writing);
	if (error)
		ReThrowError(error);
	keep_piece(swap, n);
	swap->is_first = false;
	BI_CRASH_POINT("replace", "piece");
	return n;
}

/* Writes the values whole, or raises an error. */
static void
swap_phase(void *arg)
{
	Swap	   *swap = arg;
	int64		done = 0;
	int64		last = 0;
	int			n;

	swap->is_first = true;
	swap->notes = NULL;
	swap->replacings = bi_writeback_noted(swap->writing.wb) == NIL ? NULL
		: bi_replaced_begin(swap->replaced, bi_writeback_noted(swap->writing.wb));
	do
	{
		MemoryContext old;

		MemoryContextReset(swap->piece.group_cxt);
		old = MemoryContextSwitchTo(swap->piece.group_cxt);
		n = swap_piece(swap, last);
		MemoryContextSwitchTo(old);
		done += n;
		if (n > 0)
			last = swap->results[n - 1].seq;
	} while (n > 0);
	if (done != swap->replaced->results)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another process writes results of the same value")));
	bi_replace_record(swap->replaced, BI_WRITE_WRITTEN, NULL);
	bi_pipeline_written(swap->task.step->job, swap->replaced->values, swap->replaced->nvalues);
	if (swap->replacings)
		bi_replaced_store(swap->replacings);
	BI_CRASH_POINT("replace", "swapped");
	swap->is_settled = true;
}

/* Records that a value could not be written. */
static void
note_value(Swap *swap, const BiReplaced *value, const ErrorData *error)
{
	BiResult	noted = {.overdue = swap->is_overdue};

	bi_writing_note(&noted, error);
	bi_replace_record(value, noted.write_state, noted.write_error);
	swap->is_settled |= noted.write_state == BI_WRITE_FAILED;
}

static void
swap_each(Swap *swap, const BiReplaced *values)
{
	for (int i = 0; i < values->nvalues; i++)
	{
		BiReplaced *value = palloc(sizeof(BiReplaced));
		ErrorData  *error;

		*value = (BiReplaced) {
			values->job_id, 1, &values->values[i], values->counts[i], &values->counts[i]
		};
		if (i > 0 && bi_writing_is_over(&swap->writing, false))
			return;
		swap->replaced = value;
		error = bi_xact_try(swap_phase, swap);
		if (error)
			note_value(swap, value, error);
	}
}

static void
open_phase(void *arg)
{
	Swap	   *swap = arg;
	const BiJob *job = swap->task.step->job;
	MemoryContext old = MemoryContextSwitchTo(swap->cxt);

	bi_replaced_lock(job);
	swap->writing.wb = bi_writeback_open(job);
	MemoryContextSwitchTo(old);
}

static bool
is_among(const pg_uuid_t *value, const pg_uuid_t *values, int n)
{
	for (int i = 0; i < n; i++)
		if (memcmp(value, &values[i], sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

/* Leaves out the values that a later job of the pipeline has replaced. */
static void
leave_overtaken(Swap *swap, BiReplaced *values)
{
	BiReplaced	stale = {.job_id = values->job_id};
	int			left = 0;

	stale.values = palloc(sizeof(pg_uuid_t) * values->nvalues);
	stale.nvalues = bi_replaced_overtaken(swap->task.step->job, values->values, values->nvalues,
										  stale.values);
	if (stale.nvalues == 0)
		return;
	bi_replace_record(&stale, BI_WRITE_STALE,
					  "a later job of the pipeline has replaced the rows of this value");
	swap->is_settled = true;
	values->results = 0;
	for (int i = 0; i < values->nvalues; i++)
	{
		if (is_among(&values->values[i], stale.values, stale.nvalues))
			continue;
		values->values[left] = values->values[i];
		values->counts[left] = values->counts[i];
		values->results += values->counts[left++];
	}
	values->nvalues = left;
}

bool
bi_swap_write(BiStep *step, BiWorkspace *space, BiResult *results)
{
	BiReplaced *values = bi_replace_choose(step->chunk);
	Swap		swap = {
		.writing = {.write = write_piece, .lock_ms = BI_WRITING_LOCK_MS, .task = &swap.task},
		.task = {.step = step, .space = &swap.piece, .results = results, .repeated = true},
		.piece = *space, .cxt = space->group_cxt, .results = results, .replaced = values
	};
	ErrorData  *error;

	if (values->nvalues == 0)
		return false;
	swap.piece.group_cxt = AllocSetContextCreate(space->group_cxt, "batchinf swap",
												 ALLOCSET_DEFAULT_SIZES);
	bi_writing_begin(&swap.writing);
	error = bi_xact_try(open_phase, &swap);
	if (error)
	{
		note_value(&swap, values, error);
		return swap.is_settled;
	}
	leave_overtaken(&swap, values);
	if (values->nvalues == 1 || (values->nvalues > 1 && bi_xact_try(swap_phase, &swap) != NULL))
		swap_each(&swap, values);
	return swap.is_settled;
}
