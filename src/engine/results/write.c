/*
 * engine/results/write.c: puts the outputs of a group into the job's target rows.
 *
 * The parts: store/writeback.c finds the values of an output's columns and runs the UPDATE;
 * budget.c bounds what finding them may cost, limit.c how long code of the target's owner may
 * run; remains.c drops what that code leaves in the process; blame.c says whether an error may
 * pass.
 *
 * The order: the target is opened, the values of all outputs are found, one UPDATE writes all
 * rows.  If the UPDATE fails, each row is written by itself, in a subtransaction of its own, so
 * that one bad row stops no other (promise 4).  A row that fails keeps its output; its write
 * state says "waiting" if the same write may succeed later, else "write_failed".  Outputs that add
 * rows are written by items.c.
 */
#include "postgres.h"

#include "engine/results/budget.h"
#include "engine/results/limit.h"
#include "engine/results/items.h"
#include "engine/results/write.h"
#include "provider/answer.h"
#include "store/writeback.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How long the write of a single row waits for its lock. */
#define ROW_LOCK_MS 50

/* After this many locked rows of one group the others are tried without waiting. */
#define LOCKED_ENOUGH 20
#define NO_WAIT_MS 1

/* Returns how long the next single row waits for its lock. */
static int
row_lock_ms(int nrows, int locked)
{
	if (nrows == 1)
		return BI_WRITING_LOCK_MS;
	return locked < LOCKED_ENOUGH ? ROW_LOCK_MS : NO_WAIT_MS;
}

static void
update_rows(BiWriting *writing)
{
	bi_writeback_write(writing->wb, writing->rows, writing->nrows, writing->lock_ms);
}

static void
write_each(BiWriting *writing)
{
	BiResult  **rows = writing->rows;
	int			n = writing->nrows;
	int			locked = 0;
	bool		passed = false;

	writing->nrows = 1;
	for (int i = 0; i < n; i++)
	{
		ErrorData  *error;

		if (i > 0 && (bi_writeback_is_full(writing->wb) || bi_writing_is_over(writing, passed)))
		{
			writing->task->n = (int) (rows[i] - writing->task->results);
			return;
		}
		writing->rows = &rows[i];
		writing->is_last = i == n - 1;
		writing->lock_ms = row_lock_ms(n, locked);
		error = bi_writing_try(writing);
		if (error == NULL)
			continue;
		bi_writing_note(rows[i], error);
		passed |= bi_limit_has_passed();
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			locked++;
	}
}

static void
write_rows(BiWriting *writing)
{
	writing->lock_ms = BI_WRITING_LOCK_MS;
	if (writing->nrows == 1 || (writing->nrows > 1 && bi_writing_try(writing) != NULL))
		write_each(writing);
}

static void
open_writeback(void *arg)
{
	BiWriting  *writing = arg;
	MemoryContext old = MemoryContextSwitchTo(writing->task->space->group_cxt);

	writing->wb = bi_writeback_open(writing->task->step->job);
	MemoryContextSwitchTo(old);
}

/* True if an output is to be written that nothing stands against yet. */
static bool
wants_write(const BiResult *result)
{
	return result->known && !result->delivered && result->write_error == NULL &&
		result->answer.outcome == BI_OUTCOME_SUCCEEDED;
}

/* Finding the values of one output. */
typedef struct Find
{
	const BiWriting *writing;
	BiResult   *result;
	BiFit		fit;
	char	   *why;			/* the output does not fit; NULL if it does */
	char	   *exceeded;		/* what finding takes too much of; NULL if it does not */
} Find;

static void
find_values(void *arg)
{
	Find	   *find = arg;

	find->fit = bi_writeback_find(find->writing->wb, find->writing->task->space->group_cxt,
								  find->result, &find->why);
}

static void
find_phase(void *arg)
{
	Find	   *find = arg;
	BiWorkspace *space = find->writing->task->space;
	MemoryContext old = MemoryContextSwitchTo(space->line_cxt);
	char	   *exceeded = bi_budget_run(BI_BUDGET_PATHS_MS, find_values, find);

	if (exceeded)
		find->exceeded = MemoryContextStrdup(space->group_cxt, exceeded);
	MemoryContextSwitchTo(old);
	/* What was cancelled may hold more than memory.  The error makes the subtransaction roll
	 * back, which lets go of it. */
	if (exceeded)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the write-back of an output takes %s", exceeded)));
}

/* Ends a result whose output does not fit: it is no success.  A repeated write only fails,
 * because its outcome stands. */
static void
refuse_output(const BiWriting *writing, BiResult *result, const char *code, char *why)
{
	if (!writing->task->repeated)
	{
		bi_answer_invalid(&result->answer, code, why);
		return;
	}
	result->write_state = BI_WRITE_FAILED;
	result->write_error = why;
}

void
bi_write_find(const BiWriting *writing, BiResult *result)
{
	Find		find = {.writing = writing, .result = result};
	ErrorData  *error = bi_xact_try(find_phase, &find);

	MemoryContextReset(writing->task->space->line_cxt);
	if (find.exceeded)
		refuse_output(writing, result, "too_costly",
					  psprintf("putting the output into its columns takes %s", find.exceeded));
	else if (error)
		bi_writing_note(result, error);
	else if (find.fit == BI_FIT_NOT_JSON)
		refuse_output(writing, result, "not_json", find.why);
	else if (find.fit == BI_FIT_TOO_COSTLY)
		refuse_output(writing, result, "too_costly", find.why);
}

/* Finds what is to be written, until the slice of time has been used up or memory is full: the task
 * ends there. */
static void
find_outputs(BiWriting *writing)
{
	BiWriteTask *task = writing->task;

	for (int i = 0; i < task->n; i++)
	{
		BiResult   *result = &task->results[i];

		if (i > 0 &&
			(bi_workspace_is_over(task->space) || bi_workspace_is_full(task->space)))
			task->n = i;
		else if (wants_write(result) && bi_writeback_must_find(writing->wb, result))
			bi_write_find(writing, result);
	}
}

static void
collect_rows(BiWriting *writing)
{
	BiWriteTask *task = writing->task;

	writing->rows = palloc(sizeof(BiResult *) * task->n);
	writing->nrows = 0;
	for (int i = 0; i < task->n; i++)
		if (wants_write(&task->results[i]))
			writing->rows[writing->nrows++] = &task->results[i];
}

static void
write_by_mode(BiWriting *writing)
{
	switch (writing->task->step->job->spec.write_mode)
	{
		case BI_WRITE_MODE_UPDATE:
			write_rows(writing);
			break;
		case BI_WRITE_MODE_INSERT:
		case BI_WRITE_MODE_UPSERT:
			bi_items_write(writing);
			break;
		case BI_WRITE_MODE_REPLACE:
			break;
	}
}

/* Leaves all outputs to swap.c, which writes them with the others of their value, also those of
 * which the values cannot be found now: a value is written whole, or fails whole. */
static void
put_by(const BiWriteTask *task)
{
	for (int i = 0; i < task->n; i++)
	{
		BiResult   *result = &task->results[i];

		if (!result->known || result->delivered ||
			result->answer.outcome != BI_OUTCOME_SUCCEEDED)
			continue;
		result->write_state = BI_WRITE_INCOMPLETE;
		result->write_error = NULL;
	}
}

void
bi_write_results(BiWriteTask *task)
{
	BiWriting	writing = {.task = task, .write = update_rows};

	if (!OidIsValid(task->step->job->target))
		return;
	bi_writing_begin(&writing);
	if (task->error == NULL)
		task->error = bi_xact_try(open_writeback, &writing);
	if (task->error == NULL)
		find_outputs(&writing);
	if (task->step->job->spec.write_mode == BI_WRITE_MODE_REPLACE)
	{
		put_by(task);
		return;
	}
	collect_rows(&writing);
	if (task->error == NULL)
		write_by_mode(&writing);
	else
		for (int i = 0; i < writing.nrows; i++)
			bi_writing_note(writing.rows[i], task->error);
}
