/*
 * intake/draw.c: a few rows of a query, as records.
 *
 * The first rows, or a sample in which each row is as likely as any other: the n-th row takes the
 * place of one that was drawn before with a chance of max in n ("algorithm R").  Memory holds what
 * was drawn, and one row.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "intake/draw.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* A record that was drawn.  All of it is in cxt. */
typedef struct Drawn
{
	MemoryContext cxt;
	int64		number;			/* of its row, from 0 */
	BiDraft		draft;
} Drawn;

static List *
copy_texts(const List *texts)
{
	List	   *copy = NIL;
	ListCell   *cell;

	foreach(cell, texts)
		copy = lappend(copy, lfirst(cell) ? pstrdup(lfirst(cell)) : NULL);
	return copy;
}

/* Puts a copy of the record in this place. */
static void
take(Drawn *drawn, const BiDraft *draft, int64 number)
{
	MemoryContext old;

	if (drawn->cxt)
		MemoryContextReset(drawn->cxt);
	else
		drawn->cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf drawn record",
										   ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(drawn->cxt);
	drawn->number = number;
	drawn->draft.record_id = pstrdup(draft->record_id);
	drawn->draft.key = copy_texts(draft->key);
	drawn->draft.input = draft->input ? pstrdup(draft->input) : NULL;
	drawn->draft.columns = copy_texts(draft->columns);
	MemoryContextSwitchTo(old);
}

/* Returns the place of that row among those that are drawn; max if it is not drawn. */
static int64
place_of(int64 number, int max)
{
	if (number < max)
		return number;
	return (int64) pg_prng_uint64_range(&pg_global_prng_state, 0, number);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64		left = ((const Drawn *) a)->number;
	int64		right = ((const Drawn *) b)->number;

	return (left > right) - (left < right);
}

List *
bi_draw(BiIntake *intake, int max, bool at_random)
{
	Drawn	   *drawn = palloc0(sizeof(Drawn) * max);
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf draw row",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *list = NIL;
	BiDraft		draft;
	int64		n = 0;

	while ((at_random || n < max) && bi_intake_next(intake, row_cxt, &draft))
	{
		int64		place = place_of(n, max);

		if (place < max)
			take(&drawn[place], &draft, n);
		n++;
		MemoryContextReset(row_cxt);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextDelete(row_cxt);
	bi_source_close(intake->source);
	n = Min(n, max);
	qsort(drawn, n, sizeof(Drawn), compare_numbers);
	for (int i = 0; i < n; i++)
		list = lappend(list, &drawn[i].draft);
	return list;
}
