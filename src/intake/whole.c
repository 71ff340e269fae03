/*
 * intake/whole.c: a pipeline that replaces the rows of values: each value is sent whole, or not.
 *
 * A job replaces all rows of a value by those of its own records, so it must have all records of
 * the value.  Which values are due is known after the last row of the query.  Until then the rows
 * wait, and a sort has an item for each: its value, its number, what it is to the pipeline.  The
 * sort goes to disk beyond work_mem.  What stays in memory is a byte for each value and a bit for
 * each row.
 */
#include "postgres.h"

#include "base/sorting.h"
#include "intake/whole.h"
#include "utils/memutils.h"

/* This many values are decided at once. */
#define GROUP_VALUES 1000

/* What becomes of a value. */
typedef enum Fate
{
	FATE_LEFT,					/* it is answered, or worth no further try yet */
	FATE_HELD,					/* an open job has rows of it */
	FATE_CHOSEN,
	FATE_LATER					/* it is due, and others have taken all of max_rows */
} Fate;

/* A row, as it is sorted. */
typedef struct Place
{
	pg_uuid_t	value;			/* first: the sort compares bytes */
	int64		number;
	uint8		state;			/* BiPipelineRow */
	bool		held;
	bool		counted;		/* it was answered with the same value */
} Place;

/* What is known of a value. */
typedef struct Value
{
	int64		rows;
	int64		counted;
	bool		is_due;
	bool		is_held;
} Value;

struct BiWhole
{
	BiSorting  *items;
	MemoryContext cxt;
	int64		n;				/* rows */
	int64		nvalues;
	uint8	   *fates;			/* of the values, in their order */
	int64		space;			/* for so many values */
	uint8	   *bits;			/* a bit for each row that is chosen */
	int64		chosen;			/* rows */

	/* Values that are to be decided. */
	int			ngroup;
	pg_uuid_t	values[GROUP_VALUES];
	Value		group[GROUP_VALUES];
};

BiWhole *
bi_whole_new(void)
{
	BiWhole    *whole = palloc0(sizeof(BiWhole));

	whole->cxt = CurrentMemoryContext;
	whole->items = bi_sorting_begin(sizeof(Place), true);
	return whole;
}

void
bi_whole_add(BiWhole *whole, const BiPipelineAsk *row, bool held)
{
	Place		item;

	memset(&item, 0, sizeof(Place));	/* its padding, too */
	item.value = *row->value;
	item.number = whole->n++;
	item.state = row->state;
	item.held = held;
	item.counted = row->state != BI_ROW_NEW && !row->moved;
	bi_sorting_add(whole->items, &item);
}

/* Sets *item to the next one, and *is_new if it has another value than the one before.  False after
 * the last one. */
static bool
next_item(BiWhole *whole, Place *item, bool is_first, bool *is_new)
{
	pg_uuid_t	before = item->value;

	if (!bi_sorting_next(whole->items, item))
		return false;
	*is_new = is_first || memcmp(&before, &item->value, sizeof(pg_uuid_t)) != 0;
	return true;
}

static void
keep_fate(BiWhole *whole, Fate fate)
{
	if (whole->nvalues == whole->space)
	{
		whole->space = Max(whole->space * 2, GROUP_VALUES);
		whole->fates = whole->fates
			? repalloc_huge(whole->fates, whole->space)
			: MemoryContextAllocHuge(whole->cxt, whole->space);
	}
	whole->fates[whole->nvalues++] = fate;
}

static Fate
decide(BiWhole *whole, const Value *value, int64 answered, int64 max_rows)
{
	if (value->is_held)
		return FATE_HELD;
	if (!value->is_due && answered <= value->counted)
		return FATE_LEFT;
	if (max_rows > 0 && whole->chosen >= max_rows)
		return FATE_LATER;
	whole->chosen += value->rows;
	return FATE_CHOSEN;
}

static void
decide_group(BiWhole *whole, const BiPipeline *pipeline, int64 max_rows)
{
	int64	   *answered = palloc0(sizeof(int64) * (whole->ngroup + 1));

	if (whole->ngroup > 0)
		bi_pipeline_count_values(pipeline, whole->values, whole->ngroup, answered);
	for (int i = 0; i < whole->ngroup; i++)
		keep_fate(whole, decide(whole, &whole->group[i], answered[i], max_rows));
	whole->ngroup = 0;
	pfree(answered);
}

static void
decide_values(BiWhole *whole, const BiPipeline *pipeline, int64 max_rows)
{
	Place		item = {0};
	bool		is_new;
	bool		is_first = true;

	while (next_item(whole, &item, is_first, &is_new))
	{
		Value	   *value;

		if (is_new && whole->ngroup == GROUP_VALUES)
			decide_group(whole, pipeline, max_rows);
		if (is_new)
		{
			whole->values[whole->ngroup] = item.value;
			memset(&whole->group[whole->ngroup++], 0, sizeof(Value));
		}
		is_first = false;
		value = &whole->group[whole->ngroup - 1];
		value->rows++;
		value->counted += item.counted;
		value->is_held |= item.held;
		value->is_due |= item.state != BI_ROW_ANSWERED && item.state != BI_ROW_KEPT &&
			item.state != BI_ROW_FAILED;
	}
	decide_group(whole, pipeline, max_rows);
}

/* Counts a row of a value with that fate. */
static void
count(BiPipelineRows *rows, Fate fate, BiPipelineRow state)
{
	rows->rows++;
	switch (fate)
	{
		case FATE_LEFT:
			rows->answered += state == BI_ROW_ANSWERED;
			rows->failed += state == BI_ROW_FAILED;
			rows->kept += state == BI_ROW_KEPT;
			break;
		case FATE_HELD:
			rows->in_flight++;
			break;
		case FATE_CHOSEN:
		case FATE_LATER:
			rows->due++;
			rows->changed += state == BI_ROW_CHANGED || state == BI_ROW_ANSWERED ||
				state == BI_ROW_KEPT;
			break;
	}
}

void
bi_whole_choose(BiWhole *whole, const BiPipeline *pipeline, int64 max_rows, BiPipelineRows *rows)
{
	Place		item = {0};
	bool		is_new;
	int64		value = -1;

	bi_sorting_sort(whole->items);
	decide_values(whole, pipeline, max_rows);
	whole->bits = MemoryContextAllocExtended(whole->cxt, whole->n / 8 + 1,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bi_sorting_rewind(whole->items);
	while (next_item(whole, &item, value < 0, &is_new))
	{
		value += is_new;
		count(rows, whole->fates[value], item.state);
		if (whole->fates[value] == FATE_CHOSEN)
			whole->bits[item.number / 8] |= 1 << (item.number % 8);
	}
}

bool
bi_whole_is_chosen(const BiWhole *whole, int64 number)
{
	return whole->bits[number / 8] & (1 << (number % 8));
}

void
bi_whole_forget(BiWhole *whole, const BiPipeline *pipeline)
{
	Place		item = {0};
	bool		is_new;
	int64		value = -1;

	whole->ngroup = 0;
	bi_sorting_rewind(whole->items);
	while (next_item(whole, &item, value < 0, &is_new))
	{
		value += is_new;
		if (!is_new || whole->fates[value] != FATE_CHOSEN)
			continue;
		whole->values[whole->ngroup++] = item.value;
		if (whole->ngroup == GROUP_VALUES)
		{
			bi_pipeline_forget_values(pipeline, whole->values, whole->ngroup);
			whole->ngroup = 0;
		}
	}
	if (whole->ngroup > 0)
		bi_pipeline_forget_values(pipeline, whole->values, whole->ngroup);
	bi_sorting_end(whole->items);
}
