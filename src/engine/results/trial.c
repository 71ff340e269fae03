/*
 * engine/results/trial.c: what an answer would put into rows of a target.
 *
 * The same code as for a write finds the values, within the same limits (write.c), and the same
 * types take them (store/rowdoc.c).  No row is looked at, so what triggers, constraints and
 * guards of the rows would say is not known here.
 */
#include "postgres.h"

#include "engine/results/trial.h"
#include "engine/results/write.h"
#include "engine/xact.h"
#include "store/rowdoc.h"
#include "utils/memutils.h"

/* One output on its way through the types of the columns. */
typedef struct Show
{
	const BiTrial *trial;
	BiResult  **rows;
	int			n;
	MemoryContext cxt;
	char	   *shown;			/* in cxt */
} Show;

void
bi_trial_open(BiTrial *trial, BiTarget *target)
{
	trial->target = target;
	trial->wb = bi_writeback_view(target);
	bi_workspace_init(&trial->space, CurrentMemoryContext);
}

static void
show_phase(void *arg)
{
	Show	   *show = arg;

	show->shown = MemoryContextStrdup(show->cxt, bi_rowdoc_show(show->trial->target, show->rows,
																show->n));
}

/* Returns the array's only element, which is an object, without the brackets. */
static char *
without_brackets(char *array)
{
	array[strlen(array) - 1] = '\0';
	return array + 1;
}

/* Lists what is written: the result, or its items. */
static void
list_rows(Show *show, BiResult *result)
{
	show->n = show->trial->target->each ? result->nitems : 1;
	show->rows = palloc(sizeof(BiResult *) * (show->n + 1));
	for (int i = 0; i < show->n; i++)
		show->rows[i] = show->trial->target->each ? &result->items[i] : result;
}

char *
bi_trial_run(BiTrial *trial, BiResult *result)
{
	BiWriteTask task = {.space = &trial->space, .results = result, .n = 1};
	BiWriting	writing = {.task = &task, .wb = trial->wb};
	Show		show = {.trial = trial, .cxt = CurrentMemoryContext};
	ErrorData  *error;

	MemoryContextReset(trial->space.group_cxt);
	if (result->answer.outcome != BI_OUTCOME_SUCCEEDED)
		return NULL;
	if (bi_writeback_must_find(trial->wb, result))
		bi_write_find(&writing, result);
	if (result->answer.outcome != BI_OUTCOME_SUCCEEDED || result->write_error)
		return NULL;
	list_rows(&show, result);
	error = bi_xact_try(show_phase, &show);
	if (error)
		bi_writing_note(result, error);
	return error || trial->target->each ? show.shown : without_brackets(show.shown);
}
