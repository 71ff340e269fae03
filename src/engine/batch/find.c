/*
 * engine/batch/find.c: looks for the batch of a create call whose reply was lost.
 *
 * Promise 1 is kept here: nothing is sent again before it is certain that the lost call had no
 * effect.  The provider's list of batches is read page by page.  A page can say:
 *
 * - this batch carries the chunk's intent: it is ours, and the chunk goes on with it.  If there are
 *   more of them, the call had its effect more than once; the others are noted, and removed when
 *   the chunk is cleaned;
 * - these batches may be ours, but only their results can tell (APIs that show no intent in a
 *   list).  After the last page those of other chunks are struck off, and the first result line of
 *   each ended one is read (peek).  One that has not ended leaves the chunk ambiguous;
 * - nothing.  That proves something only if the list is complete, if it is the list of the account
 *   the call was made with, and if the settle time has passed since the first search: a provider
 *   may still be at work on the call.  Then the chunk goes back to where the call can be made.
 *
 * Whatever proves nothing makes the chunk ambiguous: it asks again, ever more slowly, and never
 * guesses.
 */
#include "postgres.h"

#include <time.h>

#include "base/guc.h"
#include "engine/batch/create.h"
#include "engine/batch/find.h"
#include "engine/call.h"
#include "engine/react.h"
#include "store/batchrow.h"

/* Give up paging after this many pages: the list counts as incomplete then. */
#define FIND_PAGES 10000

/* A move. */
typedef struct Find
{
	char	   *cursor;			/* where the next page begins; NULL for the first one */
	int			pages;			/* read so far */
	List	   *candidates;		/* char *: ids that may be it, whose results are to be read */
	List	   *running;		/* char *: ids that may be it and have not ended */
	bool		is_undecided;	/* one of either could not be told yet */
	bool		is_complete;	/* the list had all there is */
} Find;

/* True once settle_time has passed since the first search.  Not since the create call: it may
 * itself have been slow.  The first search notes its time. */
static bool
has_settled(BiStep *step)
{
	const char *since = bi_ref_get(step->chunk->batch->refs, BI_CREATE_LOST_SINCE);
	int64		now = (int64) time(NULL);

	if (since == NULL)
		step->chunk->batch->refs = bi_ref_set(step->chunk->batch->refs, BI_CREATE_LOST_SINCE,
											  psprintf(INT64_FORMAT, now));
	return since != NULL &&
		(now - strtoll(since, NULL, 10)) * 1000 > bi_react_settle_ms(step);
}

/* True if the create call was made with the account of this step.  Calls of versions that did not
 * note it count as such. */
static bool
is_same_account(const BiStep *step)
{
	const char *account = step->chunk->batch->account;

	return account == NULL || strcmp(account, step->account) == 0;
}

/* Returns why the list proves nothing, or NULL if it proves that there is no batch. */
static const char *
why_uncertain(const BiStep *step)
{
	const Find *find = step->move_data;

	if (!is_same_account(step))
		return "address or key have changed since the call was made;"
			" only with the old ones can the batch be looked for";
	if (find->is_undecided)
		return "a batch that may be this one has not ended; only its results tell";
	if (step->chunk->batch->id)
		return BI_REACT_NOT_KNOWN;
	if (!find->is_complete)
		return "the provider's list is not complete, and the batch is not on it";
	return NULL;
}

static void
wait_to_settle(BiStep *step, const BiStepExchange *exchange)
{
	BiStepSave *save = bi_react_begin_save(step, exchange, step->saved_state, NULL);

	save->wait.kind = BI_WAIT_SETTLE;
	save->wait.words = psprintf("the create call had no reply; its batch is looked for until"
								" settle_time (" INT64_FORMAT " s) has passed, then the call is"
								" made again", bi_react_settle_ms(step) / 1000);
	save->delay_ms = Max(200, Min(5000, bi_guc_settle_time / 4));
	bi_step_save(step, NULL);
}

static void
not_found(BiStep *step, const BiStepExchange *exchange)
{
	const char *uncertain = why_uncertain(step);
	BiStepSave *save;

	if (uncertain)
	{
		bi_react_ambiguous(step, exchange, uncertain);
		return;
	}
	if (!has_settled(step))
	{
		wait_to_settle(step, exchange);
		return;
	}
	save = bi_react_begin_save(step, exchange, bi_react_before_create(step), "not found");
	step->chunk->batch->refs = bi_ref_set(step->chunk->batch->refs, BI_CREATE_LOST_SINCE, NULL);
	save->detail = "no batch was made";
	save->server_works = true;
	bi_step_save(step, NULL);
}

/* Peek: reads the first result line of each candidate. */

static void read_peek(BiStepExchange *exchange);

/* after: the exchange that was answered last. */
static void
peek_next(BiStep *step, const BiStepExchange *after)
{
	Find	   *find = step->move_data;
	BiStepExchange *exchange;

	if (find->candidates == NIL)
	{
		not_found(step, after);
		return;
	}
	exchange = bi_step_add_exchange(step);
	step->provider->batch->peek(&step->call, linitial(find->candidates), exchange->ex);
	bi_call_send(exchange, read_peek);
}

static void
read_peek(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	Find	   *find = step->move_data;
	bool		ours = false;
	BiVerdict	verdict = step->provider->batch->read_peek(&step->call, exchange->ex, &ours);

	if (verdict.kind == BI_VERDICT_OK && ours)
	{
		bi_create_submitted(step, exchange, linitial(find->candidates), "found again");
		return;
	}
	if (verdict.kind == BI_VERDICT_DEFER || verdict.kind == BI_VERDICT_DENIED)
	{
		bi_react_defer(step, exchange, &verdict, step->saved_state);
		return;
	}
	/* Also if it is absent: its results may not be there yet. */
	if (verdict.kind != BI_VERDICT_OK)
		find->is_undecided = true;
	find->candidates = list_delete_first(find->candidates);
	peek_next(step, exchange);
}

static List *
without_known(List *ids)
{
	ListCell   *cell;

	foreach(cell, ids)
		if (bi_batchrow_is_known(lfirst(cell)))
			ids = foreach_delete_current(ids, cell);
	return ids;
}

/* In a transaction: strikes off batches that belong to any chunk here. */
static void
drop_known(void *arg)
{
	Find	   *find = arg;

	find->candidates = without_known(find->candidates);
	find->running = without_known(find->running);
}

static void
look_into_candidates(BiStep *step, const BiStepExchange *exchange)
{
	Find	   *find = step->move_data;
	ErrorData  *error = NULL;

	if (find->candidates != NIL || find->running != NIL)
		error = bi_xact_run(step->mode, drop_known, find);
	if (error)
		ReThrowError(error);
	find->is_undecided = find->running != NIL;
	peek_next(step, exchange);
}

/* Find: reads the list. */

/* The call had its effect more than once: the first batch is ours, the others only cost. */
static void
report_twins(BiStep *step, const List *twins)
{
	BiStepSave *save = &step->save;
	ListCell   *cell;

	foreach(cell, twins)
	{
		bi_batch_bury_twin(step->chunk->batch, lfirst(cell));
		save->detail = psprintf("%s; the call also made %s, which nobody follows", save->detail,
								(char *) lfirst(cell));
	}
	if (twins != NIL)
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT
						" was made more than once: %s",
						step->chunk->id, step->chunk->job_id, save->detail)));
}

static List *
append_copies(List *to, const List *ids)
{
	ListCell   *cell;

	foreach(cell, ids)
		to = lappend(to, pstrdup(lfirst(cell)));
	return to;
}

static void read_find(BiStepExchange *exchange);

static void
send_find(BiStep *step)
{
	const Find *find = step->move_data;
	BiStepExchange *exchange = bi_step_add_exchange(step);

	step->provider->batch->find(&step->call, find->cursor, exchange->ex);
	bi_call_send(exchange, read_find);
}

/* The batch is not on this page: notes what may be it, and goes on. */
static void
next_page(BiStep *step, const BiStepExchange *exchange, const BiFound *found)
{
	Find	   *find = step->move_data;

	find->candidates = append_copies(find->candidates, found->candidates);
	find->running = append_copies(find->running, found->pending);
	find->cursor = found->cursor ? pstrdup(found->cursor) : NULL;
	find->is_complete = found->complete && found->cursor == NULL;
	if (found->cursor && ++find->pages < FIND_PAGES)
		send_find(step);
	else
		look_into_candidates(step, exchange);
}

/* A list may have many pages: only what was found is kept, the rest is freed with the exchange. */
static void
read_find(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	const char *known = step->chunk->batch->id;
	MemoryContext old = MemoryContextSwitchTo(exchange->ex->cxt);
	BiFound		found = {0};
	BiVerdict	verdict = step->provider->batch->read_find(&step->call, exchange->ex, &found);

	MemoryContextSwitchTo(old);
	if (verdict.kind != BI_VERDICT_OK)
		bi_react_defer(step, exchange, &verdict, step->saved_state);
	else if (found.batch_id && known && strcmp(found.batch_id, known) == 0)
		/* On the list, but the poll before did not know it. */
		bi_react_ambiguous(step, exchange, BI_REACT_NOT_KNOWN);
	else if (found.batch_id)
	{
		bi_create_submitted(step, exchange, found.batch_id, "found again");
		report_twins(step, found.twins);
	}
	else
		next_page(step, exchange, &found);
}

void
bi_find_start(BiStep *step)
{
	(void) bi_step_begin_move(step, BI_MOVE_FIND, sizeof(Find));
	send_find(step);
}
