/*
 * intake/repeats.c: which rows of a query need not be sent, because the answer to another one is
 * theirs.
 *
 * The rows wait (held.h) while three sorts find the copies:
 *
 *     inputs    hash, number of the row     equal hashes stand together, the first row ahead
 *     answers   hash, age, job, seq         of earlier jobs, the newest answer ahead
 *     marks     number, what it copies      merged with the rows as they go on
 *
 * All three and the rows go to disk beyond work_mem, so memory is bounded, whatever the number of
 * rows and of different texts.  Sorted items have the order of their members, because numbers are
 * written with their highest byte first.
 *
 * Decided here: where a provider refuses small batches (min_requests), as many copies are sent as
 * a batch lacks.  They cost little, and the job would fail without them.
 */
#include "postgres.h"

#include "base/sorting.h"
#include "intake/held.h"
#include "intake/repeats.h"
#include "port/pg_bswap.h"

/* Answers of earlier jobs that are read at once. */
#define PIECE 5000

typedef struct Input
{
	uint8		hash[BI_DIGEST_SIZE];
	uint64		number;
} Input;

typedef struct Answer
{
	uint8		hash[BI_DIGEST_SIZE];
	uint64		age;			/* against the end of time */
	uint64		job_id;
	uint64		seq;
} Answer;

typedef struct Mark
{
	uint64		number;
	uint64		job_id;			/* 0: it repeats a row of this query */
	uint64		seq;
	uint64		is_of_cached;	/* ... which is cached itself */
} Mark;

struct BiRepeats
{
	bool		dedup;
	BiHeld	   *held;
	BiSorting  *inputs;
	BiSorting  *answers;		/* NULL: there is no cache */
	BiSorting  *marks;
	int64		rows;			/* that were added */
	int64		read;			/* that bi_repeats_next has returned */
	int64		sent;			/* with input, and no copies */
	Mark		mark;			/* the next one; its number is 0 after the last one */
	int64		to_send;		/* so many copies, from the next one on, are sent nevertheless */
};

BiRepeats *
bi_repeats_new(bool dedup)
{
	BiRepeats  *repeats = palloc0(sizeof(BiRepeats));

	repeats->dedup = dedup;
	repeats->held = bi_held_new();
	repeats->inputs = bi_sorting_begin(sizeof(Input), false);
	return repeats;
}

void
bi_repeats_add(BiRepeats *repeats, const BiDraft *row)
{
	Input		input;

	repeats->rows++;
	bi_held_add(repeats->held, row);
	if (row->input == NULL)
		return;
	bi_digest_of(row->input, input.hash);
	input.number = pg_hton64((uint64) repeats->rows);
	bi_sorting_add(repeats->inputs, &input);
}

/* Sorts the answers of earlier jobs. */
static void
sort_answers(BiRepeats *repeats, BiCache *cache)
{
	BiCached   *piece = palloc(sizeof(BiCached) * PIECE);
	int			n;

	repeats->answers = bi_sorting_begin(sizeof(Answer), false);
	while ((n = bi_cache_read(cache, piece, PIECE)) > 0)
		for (int i = 0; i < n; i++)
		{
			Answer		answer;

			memcpy(answer.hash, piece[i].hash, BI_DIGEST_SIZE);
			answer.age = pg_hton64((uint64) (PG_INT64_MAX - piece[i].at));
			answer.job_id = pg_hton64((uint64) piece[i].job_id);
			answer.seq = pg_hton64((uint64) piece[i].seq);
			bi_sorting_add(repeats->answers, &answer);
		}
	pfree(piece);
	bi_sorting_sort(repeats->answers);
}

/* Rows with the same input. */
typedef struct Group
{
	Input		first;
	Answer		answer;			/* the newest of an earlier job to that input, if has_answer, else
								 * one to a later input */
	bool		more_answers;	/* answer is set */
	bool		has_answer;
} Group;

/* Begins a group with its first row: looks for its answer. */
static void
begin_group(BiRepeats *repeats, Group *group, const Input *first)
{
	int			order = -1;

	group->first = *first;
	while (group->more_answers &&
		   (order = memcmp(group->answer.hash, first->hash, BI_DIGEST_SIZE)) < 0)
		group->more_answers = bi_sorting_next(repeats->answers, &group->answer);
	group->has_answer = group->more_answers && order == 0;
}

/* Marks a row of the group if it is a copy. */
static void
mark_row(BiRepeats *repeats, const Group *group, const Input *input)
{
	bool		is_first = input->number == group->first.number;
	Mark		mark = {.number = input->number};

	if (repeats->dedup && !is_first)
	{
		mark.seq = group->first.number;
		mark.is_of_cached = pg_hton64((uint64) group->has_answer);
	}
	else if (group->has_answer)
	{
		mark.job_id = group->answer.job_id;
		mark.seq = group->answer.seq;
	}
	else
	{
		repeats->sent++;
		return;
	}
	bi_sorting_add(repeats->marks, &mark);
	repeats->to_send++;
}

void
bi_repeats_find(BiRepeats *repeats, BiCache *cache, int64 min_sent)
{
	Group		group = {0};
	Input		input;
	bool		is_any = false;

	repeats->marks = bi_sorting_begin(sizeof(Mark), false);
	bi_sorting_sort(repeats->inputs);
	if (cache)
	{
		sort_answers(repeats, cache);
		group.more_answers = bi_sorting_next(repeats->answers, &group.answer);
	}
	while (bi_sorting_next(repeats->inputs, &input))
	{
		if (!is_any || memcmp(input.hash, group.first.hash, BI_DIGEST_SIZE) != 0)
			begin_group(repeats, &group, &input);
		is_any = true;
		mark_row(repeats, &group, &input);
	}
	bi_sorting_end(repeats->inputs);
	if (cache)
		bi_sorting_end(repeats->answers);
	bi_sorting_sort(repeats->marks);
	(void) bi_sorting_next(repeats->marks, &repeats->mark);
	repeats->to_send = repeats->sent == 0 ? 0
		: Max(0, Min(repeats->to_send, min_sent - repeats->sent));
}

/* The row has the next mark: says so in it, and goes on to the mark after. */
static void
take_mark(BiRepeats *repeats, BiDraft *row)
{
	const Mark *mark = &repeats->mark;

	if (repeats->to_send > 0)
		repeats->to_send--;
	else
	{
		row->copies = mark->job_id == 0 ? BI_COPIES_REPEAT : BI_COPIES_CACHED;
		row->source_job = (int64) pg_ntoh64(mark->job_id);
		row->source_seq = (int64) pg_ntoh64(mark->seq);
		row->is_of_cached = mark->is_of_cached != 0;
	}
	(void) bi_sorting_next(repeats->marks, &repeats->mark);
}

bool
bi_repeats_next(BiRepeats *repeats, BiDraft *row)
{
	if (!bi_held_go_on(repeats->held))
		return false;
	bi_held_read(repeats->held, row);
	if (pg_ntoh64(repeats->mark.number) == (uint64) ++repeats->read)
		take_mark(repeats, row);
	return true;
}

void
bi_repeats_free(BiRepeats *repeats)
{
	bi_sorting_end(repeats->marks);
	bi_held_free(repeats->held);
}
