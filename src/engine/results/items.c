/*
 * engine/results/items.c: outputs that add rows to the target: one each, or one for each item.
 *
 * All rows of a group are written by one try.  If it fails, the group is halved, and again, until
 * the outputs that fail stand alone (promise 4).  One of several items is halved in the same way,
 * within a subtransaction of the output: items that fail are left out, unless an error may pass.
 * Then none of them is written now, because what a later write adds must not be there already.
 */
#include "postgres.h"

#include "base/crash.h"
#include "engine/results/blame.h"
#include "engine/results/items.h"
#include "engine/results/limit.h"
#include "utils/memutils.h"

/* One statement writes this many rows at most. */
#define STATEMENT_ROWS 1000

/* After this many tries to find the items of one output that fail, the search ends: items that have
 * failed together then all count as failed. */
#define TRIES_MAX 2000

/* A message lists the numbers of this many items at most. */
#define NUMBERS_MAX 100

/* The outputs of one group.  On the stack of bi_items_write. */
typedef struct Group
{
	BiWriting  *writing;
	BiResult  **outputs;
	bool		passed;			/* a try has taken too long */
	bool		is_over;		/* the time has been used up */
} Group;

/* One output whose items are written by halves.  On the stack of write_alone. */
typedef struct Output
{
	BiWriting  *writing;
	BiResult   *output;
	int			tries;
} Output;

/* Raises an error if the rows before have had large old values: fewer outputs are written at once
 * then. */
static void
refuse_full(const BiWriting *writing, size_t kept)
{
	if (bi_writeback_kept(writing->wb) - kept > BI_NOTE_BYTES &&
		writing->rows[0]->seq != writing->rows[writing->nrows - 1]->seq)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the old values of a group of rows are too large")));
}

void
bi_items_write_rows(BiWriting *writing)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(old, "batchinf statement", ALLOCSET_DEFAULT_SIZES);
	size_t		kept = bi_writeback_kept(writing->wb);

	for (int i = 0; i < writing->nrows; i += STATEMENT_ROWS)
	{
		refuse_full(writing, kept);
		MemoryContextSwitchTo(cxt);
		bi_writeback_write(writing->wb, writing->rows + i, Min(STATEMENT_ROWS, writing->nrows - i),
						   writing->lock_ms);
		MemoryContextReset(cxt);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

void
bi_items_take_rows(BiWriting *writing, BiResult **outputs, int n)
{
	size_t		count = 0;

	for (int i = 0; i < n; i++)
		count += outputs[i]->items ? outputs[i]->nitems : 1;
	writing->rows = palloc_extended(sizeof(BiResult *) * (count + 1), MCXT_ALLOC_HUGE);
	writing->nrows = 0;
	for (int i = 0; i < n; i++)
	{
		if (outputs[i]->items == NULL)
			writing->rows[writing->nrows++] = outputs[i];
		for (int item = 0; outputs[i]->items && item < outputs[i]->nitems; item++)
			writing->rows[writing->nrows++] = &outputs[i]->items[item];
	}
}

/* True if the error may pass, and there is time to wait for that. */
static bool
may_pass(const BiResult *output, const ErrorData *error)
{
	return bi_blame_write_waits(error->sqlerrcode) && !output->overdue;
}

static void
note_items(BiResult *items, int n, const ErrorData *error)
{
	for (int i = 0; i < n; i++)
	{
		bi_writing_note(&items[i], error);
		items[i].write_state = BI_WRITE_FAILED;
	}
}

/* Writes n items from the first-th on, without those that fail.  Raises an error that may pass. */
static void
write_items(Output *output, int first, int n)
{
	BiResult   *items = &output->output->items[first];
	BiWriting  *writing = output->writing;
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *error;

	writing->rows = palloc_extended(sizeof(BiResult *) * n, MCXT_ALLOC_HUGE);
	writing->nrows = n;
	for (int i = 0; i < n; i++)
		writing->rows[i] = &items[i];
	error = bi_writing_try(writing);
	MemoryContextSwitchTo(cxt);
	if (error == NULL)
		return;
	if (may_pass(output->output, error))
		ReThrowError(error);
	if (n == 1 || ++output->tries >= TRIES_MAX)
		note_items(items, n, error);
	else
	{
		write_items(output, first, n / 2);
		write_items(output, first + n / 2, n - n / 2);
	}
}

/* What bi_xact_try runs is in a memory context that ends with it; what is noted with items must
 * live as long as they. */
static void
items_phase(void *arg)
{
	Output	   *output = arg;
	MemoryContext old =
		MemoryContextSwitchTo(output->writing->task->space->group_cxt);

	write_items(output, 0, output->output->nitems);
	MemoryContextSwitchTo(old);
}

/* Writes an output that has failed, alone. */
static void
write_alone(BiWriting *writing, BiResult *output, ErrorData *error)
{
	Output		alone = {writing, output};

	if (output->items && !may_pass(output, error))
		error = bi_xact_try(items_phase, &alone);
	if (error)
		bi_writing_note(output, error);
}

/* Writes n outputs from the first-th on. */
static void
write_span(Group *group, int first, int n)
{
	BiWriting  *writing = group->writing;
	BiResult  **outputs = group->outputs + first;
	ErrorData  *error;

	group->is_over |= first > 0 && (bi_writeback_is_full(writing->wb) ||
									bi_writing_is_over(writing, group->passed));
	if (group->is_over)
	{
		writing->task->n = Min(writing->task->n, (int) (outputs[0] - writing->task->results));
		return;
	}
	bi_items_take_rows(writing, outputs, n);
	error = writing->nrows > 0 ? bi_writing_try(writing) : NULL;
	group->passed |= error && bi_limit_has_passed();
	if (error && n == 1)
		write_alone(writing, outputs[0], error);
	else if (error)
	{
		write_span(group, first, n / 2);
		write_span(group, first + n / 2, n - n / 2);
	}
}

/* Says which items of an output are not written. */
static char *
describe(const BiResult *output)
{
	StringInfoData text;
	const char *why = NULL;
	int			shown = 0;

	initStringInfo(&text);
	appendStringInfo(&text, "%d of %d items are not written: number%s ", output->items_failed,
					 output->nitems, output->items_failed == 1 ? "" : "s");
	for (int i = 0; i < output->nitems && shown <= NUMBERS_MAX; i++)
	{
		const BiResult *item = &output->items[i];

		if (item->write_state == BI_WRITE_WRITTEN)
			continue;
		why = why ? why : item->write_error;
		if (shown == NUMBERS_MAX)
			appendStringInfoString(&text, ", …");
		else
			appendStringInfo(&text, "%s%d", shown == 0 ? "" : ", ", item->ordinal);
		shown++;
	}
	if (why)
		appendStringInfo(&text, " (%s)", why);
	return text.data;
}

/* Sets the state of an output by those of its items. */
static void
sum_up(BiResult *output)
{
	int			failed = 0;

	for (int i = 0; i < output->nitems; i++)
		failed += output->items[i].write_state != BI_WRITE_WRITTEN;
	output->items_failed = failed;
	output->write_state = failed == 0 ? BI_WRITE_WRITTEN : BI_WRITE_PARTLY;
	if (failed > 0 && failed == output->nitems)
		output->write_state = BI_WRITE_FAILED;
	if (failed > 0)
		output->write_error = describe(output);
	if (output->write_state == BI_WRITE_PARTLY)
		BI_CRASH_POINT("items", "partly");
}

void
bi_items_write(BiWriting *writing)
{
	Group		group = {writing, writing->rows};
	int			n = writing->nrows;

	writing->write = bi_items_write_rows;
	writing->lock_ms = BI_WRITING_LOCK_MS;
	for (int i = 0; i < n; i++)
		group.outputs[i]->write_state = BI_WRITE_NONE;
	if (n > 0)
		write_span(&group, 0, n);
	for (int i = 0; i < n; i++)
	{
		BiResult   *output = group.outputs[i];

		if (output - writing->task->results >= writing->task->n || output->items == NULL)
			continue;
		if (output->write_state == BI_WRITE_NONE)
			sum_up(output);
		else if (output->write_state == BI_WRITE_FAILED)
			output->items_failed = output->nitems;
	}
}
