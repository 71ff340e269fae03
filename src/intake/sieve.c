/*
 * intake/sieve.c: rows of the query that open jobs have already are left out.
 *
 * Which rows these are must be known before chunks are cut, and rows are taken in the order of
 * their hashes (store/inflight.h).  So the rows wait (held.h), and their hashes in a sort; both go
 * to disk beyond work_mem.  What stays in memory is a bit for each row.
 */
#include "postgres.h"

#include "base/sorting.h"
#include "base/texts.h"
#include "intake/held.h"
#include "intake/planner.h"
#include "intake/sieve.h"
#include "utils/memutils.h"

/* So many rows are taken at once. */
#define TAKE_ROWS 1000

/* What is sorted. */
typedef struct Hash
{
	pg_uuid_t	hash;
	int64		number;			/* of its row */
} Hash;

struct BiSieve
{
	BiInflight *rows;
	BiInFlight	wish;
	bool		only_look;		/* rows are not taken */
	MemoryContext cxt;			/* of the sieve */
	MemoryContext row_cxt;		/* of one row */
	BiHeld	   *held;
	BiSorting  *hashes;
	int64		n;				/* rows that were added */
	int64		next;			/* the row to be returned next, from 0 */
	int64		left_out;
	uint8	   *bits;			/* a bit for each row: it is in flight */

	/* Rows that are to be judged. */
	BiJudge    *judge;			/* NULL: none are */
	MemoryContext group_cxt;	/* of them */
	int			ngroup;
	BiDraft		group[BI_SIEVE_GROUP];
};

BiSieve *
bi_sieve_new(BiInflight *rows, BiInFlight wish, BiJudge *judge)
{
	BiSieve    *sieve = palloc0(sizeof(BiSieve));

	sieve->rows = rows;
	sieve->wish = wish;
	sieve->cxt = CurrentMemoryContext;
	sieve->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf sieve row",
										   ALLOCSET_DEFAULT_SIZES);
	sieve->judge = judge;
	sieve->group_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf sieve group",
											 ALLOCSET_DEFAULT_SIZES);
	sieve->held = bi_held_new();
	sieve->hashes = bi_sorting_begin(sizeof(Hash), false);
	return sieve;
}

void
bi_sieve_only_look(BiSieve *sieve)
{
	sieve->only_look = true;
}

static void
keep_row(BiSieve *sieve, const BiDraft *row)
{
	MemoryContext old = MemoryContextSwitchTo(sieve->row_cxt);
	Hash		item = {.number = sieve->n};

	if (row->input)
	{
		bi_inflight_hash(sieve->rows, row->record_id, row->key, &item.hash);
		bi_sorting_add(sieve->hashes, &item);
	}
	bi_held_add(sieve->held, row);
	sieve->n++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sieve->row_cxt);
}

/* Has the rows of the group judged, and keeps those that are chosen. */
static void
judge_group(BiSieve *sieve)
{
	bool		keep[BI_SIEVE_GROUP];
	MemoryContext old = MemoryContextSwitchTo(sieve->group_cxt);

	if (sieve->ngroup > 0)
		sieve->judge->judge(sieve->judge, sieve->group, sieve->ngroup, keep);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < sieve->ngroup; i++)
		if (keep[i])
			keep_row(sieve, &sieve->group[i]);
	sieve->ngroup = 0;
	MemoryContextReset(sieve->group_cxt);
}

/* Adds a copy of the row to the group. */
static void
add_to_judge(BiSieve *sieve, const BiDraft *row)
{
	MemoryContext old = MemoryContextSwitchTo(sieve->group_cxt);
	BiDraft    *copy = &sieve->group[sieve->ngroup++];

	*copy = (BiDraft) {
		pstrdup(row->record_id), bi_texts_copy(row->key), pstrdup(row->input),
		bi_texts_copy(row->columns)
	};
	MemoryContextSwitchTo(old);
	if (sieve->ngroup == BI_SIEVE_GROUP)
		judge_group(sieve);
}

void
bi_sieve_add(BiSieve *sieve, const BiDraft *row)
{
	if (sieve->judge == NULL)
		keep_row(sieve, row);
	else if (row->input)
		add_to_judge(sieve, row);
}

/* A group of hashes that are taken at once, in ascending order. */
typedef struct Group
{
	int			n;
	pg_uuid_t	hashes[TAKE_ROWS];
	int64		numbers[TAKE_ROWS];	/* of their rows */
	bool		taken[TAKE_ROWS];
} Group;

/* Sets which rows of the group an open job has. */
static void
look_at_group(BiSieve *sieve, Group *group)
{
	bool		held[TAKE_ROWS];

	bi_inflight_look(sieve->rows, group->hashes, group->n, held);
	for (int i = 0; i < group->n; i++)
		group->taken[i] = !held[i];
}

static void
take_group(BiSieve *sieve, Group *group)
{
	MemoryContext old = MemoryContextSwitchTo(sieve->row_cxt);

	if (group->n > 0 && sieve->only_look)
		look_at_group(sieve, group);
	else if (group->n > 0)
		bi_inflight_take(sieve->rows, group->hashes, group->n, group->taken);
	for (int i = 0; i < group->n; i++)
		if (!group->taken[i])
			sieve->bits[group->numbers[i] / 8] |= 1 << (group->numbers[i] % 8);
	group->n = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sieve->row_cxt);
}

/* Raises the error for two rows with an equal key, of which that is one. */
static void
refuse_equal(BiSieve *sieve, int64 number)
{
	BiDraft		row;

	for (int64 i = 0; i <= number; i++)
		(void) bi_held_go_on(sieve->held);
	bi_held_read(sieve->held, &row);
	bi_planner_refuse_equal(row.record_id);
}

static bool
is_chosen(const BiSieve *sieve, int64 number)
{
	return sieve->judge == NULL || sieve->judge->is_chosen == NULL ||
		sieve->judge->is_chosen(sieve->judge, number);
}

/* Adds the next of the sorted hashes to the group. */
static void
add_to_group(BiSieve *sieve, Group *group, const Hash *item, pg_uuid_t *last)
{
	if (memcmp(last, &item->hash, sizeof(pg_uuid_t)) == 0)
	{
		if (sieve->wish != BI_IN_FLIGHT_SEND)
			refuse_equal(sieve, item->number);
		return;
	}
	*last = item->hash;
	if (!is_chosen(sieve, item->number))
		return;
	group->hashes[group->n] = item->hash;
	group->numbers[group->n++] = item->number;
	if (group->n == TAKE_ROWS)
		take_group(sieve, group);
}

void
bi_sieve_shake(BiSieve *sieve)
{
	Group	   *group = palloc0(sizeof(Group));
	pg_uuid_t	last = {{0}};
	Hash		item;

	if (sieve->judge)
	{
		judge_group(sieve);
		if (!sieve->judge->may_go_on(sieve->judge))
			bi_held_clear(sieve->held);
	}
	sieve->bits = MemoryContextAllocExtended(sieve->cxt, sieve->n / 8 + 1,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bi_sorting_sort(sieve->hashes);
	while (bi_held_has_any(sieve->held) && bi_sorting_next(sieve->hashes, &item))
		add_to_group(sieve, group, &item, &last);
	take_group(sieve, group);
	bi_sorting_end(sieve->hashes);
	sieve->hashes = NULL;
	pfree(group);
}

static bool
is_in_flight(const BiSieve *sieve, int64 number)
{
	return sieve->bits[number / 8] & (1 << (number % 8));
}

static void
refuse_in_flight(const BiSieve *sieve, const BiDraft *row)
{
	pg_uuid_t	hash;
	int64		holder;

	bi_inflight_hash(sieve->rows, row->record_id, row->key, &hash);
	holder = bi_inflight_holder(sieve->rows, &hash);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("record \"%s\" is in an open batch job already",
					bi_planner_shown(row->record_id)),
			 holder != 0 ? errdetail("The record is in job " INT64_FORMAT ".", holder) : 0,
			 errhint("With in_flight => 'skip' such rows are left out.")));
}

bool
bi_sieve_next(BiSieve *sieve, BiDraft *row)
{
	while (bi_held_go_on(sieve->held))
	{
		int64		number = sieve->next++;
		bool		held = is_in_flight(sieve, number);

		if (!is_chosen(sieve, number))
			continue;
		if (held && sieve->wish != BI_IN_FLIGHT_ERROR)
		{
			sieve->left_out++;
			continue;
		}
		bi_held_read(sieve->held, row);
		if (held)
			refuse_in_flight(sieve, row);
		return true;
	}
	return false;
}

int64
bi_sieve_left_out(const BiSieve *sieve)
{
	return sieve->left_out;
}

void
bi_sieve_free(BiSieve *sieve)
{
	bi_held_free(sieve->held);
	MemoryContextDelete(sieve->group_cxt);
	MemoryContextDelete(sieve->row_cxt);
}
