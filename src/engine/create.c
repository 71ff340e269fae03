/*
 * engine/create.c: the way to a batch: upload, the paid call, and looking for one whose
 * call was never answered.
 *
 * Promise 1 is kept here: nothing is sent again before it is certain that it had no
 * effect.  Called by step.c.
 */
#include "postgres.h"

#include <time.h>

#include "base/guc.h"
#include "engine/create.h"
#include "engine/react.h"
#include "engine/render.h"

/* The chunk's reference that says since when its create call is lost, in Unix seconds. */
#define LOST_SINCE "lost_since"

/* A list longer than this is none that ends. */
#define FIND_PAGES 10000

/* Upload */

static void upload_turn(BiStep *step);

static void
read_upload(BiStep *step)
{
	List	   *refs = step->chunk->refs;
	BiVerdict	verdict = step->provider->read_upload(&step->call, step->ex, &refs);
	BiRecordOf *r;

	step->chunk->refs = refs;
	if (bi_step_next_turn(step, &verdict))
	{
		step->work = upload_turn;
		return;
	}
	switch (verdict.kind)
	{
		case BI_OK:
			step->chunk->failures = 0;
			r = bi_react_record(step, BI_UPLOADED, "uploaded");
			r->detail = psprintf(INT64_FORMAT " records, " INT64_FORMAT " bytes", step->render->lines, bi_spool_size(step->render->spool));
			r->heard = true;
			bi_step_record(step, NULL);
			break;
		case BI_REFUSED:
			bi_react_refuse(step, &verdict);
			break;
		default:
			bi_react_defer(step, &verdict, BI_PLANNED);
	}
}

static void
upload_turn(BiStep *step)
{
	BiExchange *ex = bi_step_exchange(step);

	ex->upload = step->render->spool;
	step->provider->upload(&step->call, ex);
	bi_step_send(step, read_upload);
}

static void
send_upload(BiStep *step)
{
	bi_step_begin_turns(step);
	upload_turn(step);
}

void
bi_create_upload(BiStep *step)
{
	bi_render_start(step, send_upload);
}

/* Create */

static void
submitted(BiStep *step, const char *batch_id, const char *event)
{
	BiRecordOf *r = bi_react_record(step, BI_SUBMITTED, event);

	step->chunk->batch_id = pstrdup(batch_id);
	step->chunk->failures = 0;
	step->chunk->polls = 0;
	step->chunk->refs = bi_ref_set(step->chunk->refs, LOST_SINCE, NULL);
	step->chunk->refs = bi_ref_set(step->chunk->refs, BI_CREATE_ACCOUNT, NULL);
	r->detail = step->chunk->batch_id;
	r->heard = true;
	r->delay_ms = bi_react_backoff(bi_react_poll_ms(step), 1, BI_REACT_DEFER_CAP_MS, 0);
	bi_step_record(step, NULL);
}

/* What we uploaded is not there (yet): a while later again, then uploaded anew. */
static void
input_absent(BiStep *step, const BiVerdict *verdict)
{
	if (step->chunk->failures < BI_REACT_ABSENT_TRIES)
		bi_react_defer(step, verdict, BI_UPLOADED);
	else if (step->chunk->failures < 2 * BI_REACT_ABSENT_TRIES)
		bi_react_defer(step, verdict, BI_PLANNED);
	else
		bi_react_refuse(step, verdict);
}

static void
read_create(BiStep *step)
{
	BiBatch		batch = {0};
	BiVerdict	verdict = step->provider->read_create(&step->call, step->ex, &batch);

	switch (verdict.kind)
	{
		case BI_OK:
			bi_react_take_refs(step, &batch);
			submitted(step, batch.id, "submitted");
			break;
		case BI_UNCLEAR:
			/* It may have had its effect: looked for before anything else. */
			bi_react_defer(step, &verdict, BI_CREATING);
			step->record.delay_ms = Min(step->record.delay_ms, 1000);
			break;
		case BI_ABSENT:
			input_absent(step, &verdict);
			break;
		case BI_REFUSED:
			bi_react_refuse(step, &verdict);
			break;
		default:
			bi_react_defer(step, &verdict, bi_react_before_create(step));
	}
}

static void
send_create(BiStep *step)
{
	BiExchange *ex = bi_step_exchange(step);

	ex->upload = step->render ? step->render->spool : NULL;
	step->provider->create(&step->call, ex);
	bi_step_send(step, read_create);
}

void
bi_create_send(BiStep *step)
{
	if (step->provider->upload)
		send_create(step);
	else
		bi_render_start(step, send_create);
}

void
bi_create_unsent(BiStep *step, const BiVerdict *verdict)
{
	if (step->record.from == BI_UPLOADING)
		bi_react_defer(step, verdict, BI_PLANNED);
	else if (step->behind_login == read_create)
		bi_react_defer(step, verdict, bi_react_before_create(step));
	else
		bi_react_defer(step, verdict, step->record.from);
}

/* Find */

/* Has it been looked for long enough?  The time counts from the first look, which comes after
 * the loss, however long the call itself took. */
static bool
has_settled(BiStep *step)
{
	const char *since = bi_ref_get(step->chunk->refs, LOST_SINCE);
	int64		now = (int64) time(NULL);

	if (since == NULL)
		step->chunk->refs = bi_ref_set(step->chunk->refs, LOST_SINCE, psprintf(INT64_FORMAT, now));
	return since != NULL && (now - strtoll(since, NULL, 10)) * 1000 > bi_react_settle_ms(step);
}

/* Is it the same as when the call was made?  One that was made before this was noted is. */
static bool
is_same_account(const BiStep *step)
{
	const char *account = bi_ref_get(step->chunk->refs, BI_CREATE_ACCOUNT);

	return account == NULL || strcmp(account, step->account) == 0;
}

static void
not_found(BiStep *step, bool complete)
{
	BiRecordOf *r;

	if (!is_same_account(step))
		bi_react_ambiguous(step, "address or key have changed since the call was made; only with the old ones can the batch be looked for");
	else if (step->pending)
		bi_react_ambiguous(step, "a batch that may be this one has not ended; only its results tell");
	else if (step->chunk->batch_id)
		bi_react_ambiguous(step, BI_REACT_NOT_KNOWN);
	else if (!complete)
		bi_react_ambiguous(step, "the provider's list is not complete, and the batch is not on it");
	else if (!has_settled(step))
	{
		r = bi_react_record(step, step->record.from, NULL);
		r->waiting_for = "certainty: a lost call may still have its effect";
		r->delay_ms = Max(200, Min(5000, bi_guc_settle_time / 4));
		bi_step_record(step, NULL);
	}
	else
	{
		r = bi_react_record(step, bi_react_before_create(step), "not found");
		step->chunk->refs = bi_ref_set(step->chunk->refs, LOST_SINCE, NULL);
		r->detail = "no batch was made";
		r->heard = true;
		bi_step_record(step, NULL);
	}
}

static List *
without_known(List *ids)
{
	ListCell   *cell;

	foreach(cell, ids)
		if (bi_chunk_owns_batch(lfirst(cell)))
			ids = foreach_delete_current(ids, cell);
	return ids;
}

/* Those that are some chunk's of ours are no candidates. */
static void
drop_known(void *arg)
{
	BiStep	   *step = arg;

	step->candidates = without_known(step->candidates);
	step->running = without_known(step->running);
}

static void send_peek(BiStep *step);

static void
read_peek(BiStep *step)
{
	bool		ours = false;
	BiVerdict	verdict = step->provider->read_peek(&step->call, step->ex, &ours);

	if (verdict.kind == BI_OK && ours)
	{
		submitted(step, linitial(step->candidates), "found again");
		return;
	}
	if (verdict.kind == BI_DEFER || verdict.kind == BI_DENIED)
	{
		bi_react_defer(step, &verdict, step->record.from);
		return;
	}
	/* Also one that is absent: its results may not be there yet. */
	if (verdict.kind != BI_OK)
		step->pending = true;
	step->candidates = list_delete_first(step->candidates);
	step->work = send_peek;
}

static void
send_peek(BiStep *step)
{
	if (step->candidates == NIL)
	{
		not_found(step, step->complete);
		return;
	}
	step->provider->peek(&step->call, linitial(step->candidates), bi_step_exchange(step));
	bi_step_send(step, read_peek);
}

static void
look_into_candidates(BiStep *step)
{
	bool		any = step->candidates != NIL || step->running != NIL;
	ErrorData  *error = any ? bi_xact_run(step->mode, drop_known, step) : NULL;

	if (error)
		ReThrowError(error);
	step->pending = step->running != NIL;
	send_peek(step);
}

/* The call had its effect more than once: the first batch is ours, the others only cost. */
static void
tell_twins(BiStep *step, const List *twins)
{
	ListCell   *cell;

	foreach(cell, twins)
	{
		bi_react_bury(step->chunk, lfirst(cell));
		step->record.detail = psprintf("%s; the call also made %s, which nobody follows", step->record.detail, (char *) lfirst(cell));
	}
	if (twins != NIL)
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " was made more than once: %s",
						step->chunk->id, step->chunk->job_id, step->record.detail)));
}

static List *
copy_ids(const List *ids)
{
	List	   *copy = NIL;
	ListCell   *cell;

	foreach(cell, ids)
		copy = lappend(copy, pstrdup(lfirst(cell)));
	return copy;
}

static void send_find(BiStep *step);

/* Lists may have many pages: of each only what was found is kept beyond its exchange. */
static void
read_find(BiStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(step->ex->cxt);
	BiFound		found = {0};
	BiVerdict	verdict = step->provider->read_find(&step->call, step->ex, &found);

	MemoryContextSwitchTo(old);
	if (verdict.kind != BI_OK)
	{
		bi_react_defer(step, &verdict, step->record.from);
		return;
	}
	if (found.batch_id && step->chunk->batch_id && strcmp(found.batch_id, step->chunk->batch_id) == 0)
	{
		/* Listed, but not known when asked for. */
		bi_react_ambiguous(step, BI_REACT_NOT_KNOWN);
		return;
	}
	if (found.batch_id)
	{
		submitted(step, found.batch_id, "found again");
		tell_twins(step, found.twins);
		return;
	}
	step->candidates = list_concat(step->candidates, copy_ids(found.candidates));
	step->running = list_concat(step->running, copy_ids(found.pending));
	step->cursor = found.cursor ? pstrdup(found.cursor) : NULL;
	step->complete = found.complete && found.cursor == NULL;
	step->work = found.cursor && ++step->part < FIND_PAGES ? send_find : look_into_candidates;
}

static void
send_find(BiStep *step)
{
	step->provider->find(&step->call, step->cursor, bi_step_exchange(step));
	bi_step_send(step, read_find);
}

void
bi_create_find(BiStep *step)
{
	step->cursor = NULL;
	step->part = 0;
	send_find(step);
}
