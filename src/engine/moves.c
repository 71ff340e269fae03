/*
 * engine/moves.c: what is done in each state of a chunk, and what the replies mean.
 *
 * Each move sends what a provider writes and records what the provider read: the one
 * place that turns verdicts into states, waits and pauses.  Knows no provider by name,
 * no SQL and no transaction.  Called by step.c.
 */
#include "postgres.h"

#include <time.h>

#include "base/backoff.h"
#include "base/guc.h"
#include "common/pg_prng.h"
#include "engine/deliver.h"
#include "engine/moves.h"
#include "engine/render.h"
#include "engine/login.h"
#include "utils/timestamp.h"

/* Waits: base (or the poll interval, if shorter), doubled each time up to the cap. */
#define DEFER_BASE_MS 5000
#define DEFER_CAP_MS (10 * 60 * 1000)
#define QUOTA_CAP_MS (60 * 60 * 1000)
#define POLL_CAP_MS (10 * 60 * 1000)

/* A provider may not know for a while what it has just made. */
#define YOUNG_MS (2 * 60 * 1000)
#define ABSENT_TRIES 5
#define CLEAN_TRIES 5

/* The chunk's reference that says since when its create call is lost, in Unix seconds. */
#define LOST_SINCE "lost_since"

/* A list longer than this is none that ends. */
#define FIND_PAGES 10000

static int64
backoff(int64 base_ms, double factor, int64 cap_ms, int n)
{
	return bi_backoff_ms(base_ms, factor, cap_ms, n, pg_prng_double(&pg_global_prng_state));
}

static int64
poll_ms(const BiStep *step)
{
	return step->limits.poll_interval * 1000;
}

static int64
retry_after_ms(const BiStep *step)
{
	return step->ex ? bi_exchange_retry_after(step->ex, (int64) time(NULL)) : -1;
}

/* A record with what the last exchange told. */
static BiRecordOf *
begin_record(BiStep *step, BiState to, const char *event)
{
	BiRecordOf *r = bi_step_begin_record(step);
	const char *id = bi_exchange_reply_header(step->ex, "x-request-id");

	step->chunk->state = to;
	r->event = event ? pstrdup(event) : NULL;
	r->status = step->ex->status;
	r->request_id = id ? pstrdup(id) : NULL;
	return r;
}

static char *
verdict_text(const BiVerdict *verdict)
{
	return psprintf("%s: %s", verdict->code, verdict->message);
}

/* Whom a verdict holds up, and how long: 0 is the chunk alone. */
static int64
pause_length(BiStep *step, const BiVerdict *verdict, Oid *owner)
{
	int			n = step->server_failures;
	int64		asked = retry_after_ms(step);
	int64		base = Min(DEFER_BASE_MS, poll_ms(step));

	*owner = verdict->kind == BI_DENIED ? step->job->owner : InvalidOid;
	if (verdict->kind == BI_NOT_YET)
		return 0;
	if (verdict->kind == BI_DENIED)
		return Max(asked, backoff(poll_ms(step), 2, DEFER_CAP_MS, n));
	if (verdict->kind == BI_DEFER || step->ex->status >= 500)
		return Max(asked, backoff(base, 2, DEFER_CAP_MS, n));
	return 0;
}

/* A reply that is no success: what it means for chunk and server.  back is the state that
 * the chunk goes back to. */
static void
defer(BiStep *step, const BiVerdict *verdict, BiState back)
{
	BiRecordOf *r = begin_record(step, back, "deferred");

	if (verdict->kind == BI_DENIED)
		bi_login_drop(step->server, step->secret);
	r->detail = verdict_text(verdict);
	r->waiting_for = r->detail;
	r->pause_ms = pause_length(step, verdict, &r->pause_owner);
	r->delay_ms = r->pause_ms ? r->pause_ms
		: backoff(Min(DEFER_BASE_MS, poll_ms(step)), 2, DEFER_CAP_MS, step->chunk->failures);
	step->chunk->failures++;
	if (r->pause_ms && step->server_failures == 0)
		ereport(LOG,
				(errmsg("server \"%s\" is paused for batch jobs: %s", step->server->name, r->detail)));
	bi_step_record(step, NULL);
}

/* Where a chunk waits for its create call: with its input there, or, where the input
 * travels with the call, without. */
static BiState
before_create(const BiStep *step)
{
	return step->provider->upload ? BI_UPLOADED : BI_PLANNED;
}

/* The provider gives no certain answer: a person may know more. */
static void
become_ambiguous(BiStep *step, const char *reason)
{
	BiRecordOf *r = begin_record(step, BI_AMBIGUOUS, step->record.from == BI_AMBIGUOUS ? NULL : "ambiguous");

	r->detail = pstrdup(reason);
	r->waiting_for = r->detail;
	r->delay_ms = backoff(poll_ms(step), 2, DEFER_CAP_MS, step->chunk->failures++);
	if (r->event)
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " is ambiguous: %s",
						step->chunk->id, step->chunk->job_id, reason)));
	bi_step_record(step, NULL);
}

/* The lines that the provider named end with its words. */
static int
end_bad_lines(BiStep *step, const List *faults)
{
	BiResult   *results = palloc0(sizeof(BiResult) * (list_length(faults) + 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, faults)
	{
		BiFault    *fault = lfirst(cell);
		BiResult   *result = &results[n];

		result->seq = fault->line > 0 ? bi_record_of_line(step->chunk, fault->line) : 0;
		if (result->seq == 0)
			continue;
		result->outcome = BI_ERRORED;
		result->error_code = fault->code;
		result->error = fault->message;
		result->input_tokens = result->cached_tokens = result->output_tokens = -1;
		n++;
	}
	bi_result_lookup(CurrentMemoryContext, step->chunk, results, n);
	bi_result_insert(step->chunk, results, n);
	return n;
}

/* Lines that were told are ended, the others sent again; without any, all are. */
static void
failed_also(BiStep *step)
{
	const List *faults = step->faults;
	BiFault    *first = linitial(faults);
	int			bad = step->wish == BI_WISH_NONE ? end_bad_lines(step, faults) : 0;

	if (step->wish != BI_WISH_NONE)
		(void) bi_result_rest(step->chunk, step->wish == BI_WISH_CANCEL ? BI_CANCELLED_RECORD : BI_EXPIRED, false, first->code, first->message);
	else if (bad == 0)
		(void) bi_result_rest(step->chunk, BI_ERRORED, false, first->code, first->message);
	else
		(void) bi_record_resend(step->chunk);
	(void) bi_result_settle(step->chunk, false);
	bi_job_finish_due();
}

static void
fail(BiStep *step, List *faults)
{
	BiFault    *first = linitial(faults);
	BiRecordOf *r = begin_record(step, BI_CLEANING, "failed");

	step->chunk->batch_end = "failed";
	step->chunk->failures = 0;
	step->faults = faults;
	r->error = first->message;
	r->detail = psprintf("%s: %s", first->code, first->message);
	r->heard = true;
	r->room = true;
	r->also = failed_also;
	ereport(LOG,
			(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " was refused by the provider: %s",
					step->chunk->id, step->chunk->job_id, r->detail)));
	bi_step_record(step, NULL);
}

static BiFault *
make_fault(const char *code, const char *message)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup(code);
	fault->message = pstrdup(message);
	return fault;
}

static void
refused(BiStep *step, const BiVerdict *verdict)
{
	fail(step, list_make1(make_fault(verdict->code, verdict->message)));
}

/* Upload */

static void
read_upload(BiStep *step)
{
	List	   *refs = step->chunk->refs;
	BiVerdict	verdict = step->provider->read_upload(&step->call, step->ex, &refs);
	BiRecordOf *r;

	switch (verdict.kind)
	{
		case BI_OK:
			step->chunk->refs = refs;
			step->chunk->failures = 0;
			r = begin_record(step, BI_UPLOADED, "uploaded");
			r->detail = psprintf(INT64_FORMAT " records, " INT64_FORMAT " bytes", step->render->lines, bi_spool_size(step->render->spool));
			r->heard = true;
			bi_step_record(step, NULL);
			break;
		case BI_REFUSED:
			refused(step, &verdict);
			break;
		default:
			defer(step, &verdict, BI_PLANNED);
	}
}

static void
send_upload(BiStep *step)
{
	BiExchange *ex = bi_step_exchange(step);

	ex->upload = step->render->spool;
	step->provider->upload(&step->call, ex);
	bi_step_send(step, read_upload);
}

void
bi_move_upload(BiStep *step)
{
	bi_render_start(step, send_upload);
}

/* Create */

static void
submitted(BiStep *step, const char *batch_id, const char *event)
{
	BiRecordOf *r = begin_record(step, BI_SUBMITTED, event);

	step->chunk->batch_id = pstrdup(batch_id);
	step->chunk->failures = 0;
	step->chunk->polls = 0;
	step->chunk->refs = bi_ref_set(step->chunk->refs, LOST_SINCE, NULL);
	r->detail = step->chunk->batch_id;
	r->heard = true;
	r->delay_ms = backoff(poll_ms(step), 1, POLL_CAP_MS, 0);
	bi_step_record(step, NULL);
}

static void
take_refs(BiStep *step, const BiBatch *batch)
{
	ListCell   *cell;

	foreach(cell, batch->refs)
	{
		BiRef	   *ref = lfirst(cell);

		step->chunk->refs = bi_ref_set(step->chunk->refs, ref->name, ref->value);
	}
}

/* What we uploaded is not there (yet): a while later again, then uploaded anew. */
static void
input_absent(BiStep *step, const BiVerdict *verdict)
{
	if (step->chunk->failures < ABSENT_TRIES)
		defer(step, verdict, BI_UPLOADED);
	else if (step->chunk->failures < 2 * ABSENT_TRIES)
		defer(step, verdict, BI_PLANNED);
	else
		refused(step, verdict);
}

static void
read_create(BiStep *step)
{
	BiBatch		batch = {0};
	BiVerdict	verdict = step->provider->read_create(&step->call, step->ex, &batch);

	switch (verdict.kind)
	{
		case BI_OK:
			take_refs(step, &batch);
			submitted(step, batch.id, "submitted");
			break;
		case BI_UNCLEAR:
			/* It may have had its effect: looked for before anything else. */
			defer(step, &verdict, BI_CREATING);
			step->record.delay_ms = Min(step->record.delay_ms, 1000);
			break;
		case BI_ABSENT:
			input_absent(step, &verdict);
			break;
		case BI_REFUSED:
			refused(step, &verdict);
			break;
		default:
			defer(step, &verdict, before_create(step));
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
bi_move_create(BiStep *step)
{
	if (step->provider->upload)
		send_create(step);
	else
		bi_render_start(step, send_create);
}

void
bi_move_unsent(BiStep *step, const BiVerdict *verdict)
{
	if (step->record.from == BI_UPLOADING)
		defer(step, verdict, BI_PLANNED);
	else if (step->behind_login == read_create)
		defer(step, verdict, before_create(step));
	else
		defer(step, verdict, step->record.from);
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
	return since != NULL && (now - strtoll(since, NULL, 10)) * 1000 > bi_guc_settle_time;
}

static void
not_found(BiStep *step, bool complete)
{
	BiRecordOf *r;

	if (step->pending)
		become_ambiguous(step, "a batch that may be this one has not ended; only its results tell");
	else if (!complete)
		become_ambiguous(step, "the provider's list is not complete, and the batch is not on it");
	else if (!has_settled(step))
	{
		r = begin_record(step, step->record.from, NULL);
		r->waiting_for = "certainty: a lost call may still have its effect";
		r->delay_ms = Max(200, Min(5000, bi_guc_settle_time / 4));
		bi_step_record(step, NULL);
	}
	else
	{
		r = begin_record(step, before_create(step), "not found");
		step->chunk->refs = bi_ref_set(step->chunk->refs, LOST_SINCE, NULL);
		r->detail = "no batch was made";
		r->heard = true;
		bi_step_record(step, NULL);
	}
}

/* Candidates that are some chunk's of ours are none. */
static void
drop_known(void *arg)
{
	BiStep	   *step = arg;
	ListCell   *cell;

	foreach(cell, step->candidates)
		if (bi_chunk_owns_batch(step->job->server, lfirst(cell)))
			step->candidates = foreach_delete_current(step->candidates, cell);
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
	/* One that is gone is not ours: ours would be kept. */
	if (verdict.kind != BI_OK && verdict.kind != BI_ABSENT)
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
	ErrorData  *error = step->candidates ? bi_xact_run(step->mode, drop_known, step) : NULL;

	if (error)
		ReThrowError(error);
	send_peek(step);
}

static void send_find(BiStep *step);

static void
read_find(BiStep *step)
{
	BiFound		found = {0};
	BiVerdict	verdict = step->provider->read_find(&step->call, step->ex, &found);

	if (verdict.kind != BI_OK)
	{
		defer(step, &verdict, step->record.from);
		return;
	}
	if (found.batch_id)
	{
		submitted(step, found.batch_id, "found again");
		return;
	}
	step->candidates = list_concat(step->candidates, found.candidates);
	step->pending = step->pending || found.pending;
	step->cursor = found.cursor;
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
bi_move_find(BiStep *step)
{
	step->cursor = NULL;
	step->part = 0;
	send_find(step);
}

/* Poll */

static void
still_there(BiStep *step, bool running)
{
	BiChunk    *chunk = step->chunk;
	BiState		to = chunk->state == BI_CANCELLING ? BI_CANCELLING : running ? BI_RUNNING : BI_SUBMITTED;
	BiRecordOf *r = begin_record(step, to, to == step->record.from ? NULL : running ? "running" : "accepted");

	chunk->failures = 0;
	r->heard = true;
	r->delay_ms = backoff(poll_ms(step), 1.2, Max(poll_ms(step), Min(POLL_CAP_MS, 10 * poll_ms(step))), chunk->polls++);
	bi_step_record(step, NULL);
}

static void
ended(BiStep *step, const char *how)
{
	BiRecordOf *r = begin_record(step, BI_FETCHING, how);

	step->chunk->batch_end = unconstify(char *, how);
	step->chunk->failures = 0;
	r->heard = true;
	r->room = true;
	bi_step_record(step, NULL);
}

/* Refused for quota or load: the same input makes the batch again, later. */
static void
refused_for_now(BiStep *step, const BiFault *fault)
{
	BiChunk    *chunk = step->chunk;
	const char *dead = bi_ref_get(chunk->refs, "dead");
	BiRecordOf *r = begin_record(step, before_create(step), "deferred");

	chunk->refs = bi_ref_set(chunk->refs, "dead", dead ? psprintf("%s %s", dead, chunk->batch_id) : chunk->batch_id);
	chunk->batch_id = NULL;
	r->detail = psprintf("%s: %s", fault->code, fault->message);
	r->waiting_for = r->detail;
	/* The others wait a little, and running batches are soon followed again: their end makes
	 * the room.  This one waits longer each time, unless one of them ends. */
	r->pause_ms = poll_ms(step);
	r->delay_ms = backoff(poll_ms(step), 2, QUOTA_CAP_MS, Max(chunk->tries - 1, 0));
	if (step->server_failures == 0)
		ereport(LOG,
				(errmsg("server \"%s\" is paused for batch jobs: %s", step->server->name, r->detail)));
	bi_step_record(step, NULL);
}

static void
failed(BiStep *step, const BiBatch *batch)
{
	List	   *faults = batch->faults ? batch->faults
		: list_make1(make_fault("batch_failed", "the provider gave no reason"));

	if (batch->deferred && step->chunk->state != BI_CANCELLING)
		refused_for_now(step, linitial(faults));
	else
		fail(step, faults);
}

static bool
is_young(const BiChunk *chunk)
{
	return !TimestampDifferenceExceeds(chunk->submitted_at, GetCurrentTimestamp(), YOUNG_MS);
}

static void
read_poll(BiStep *step)
{
	BiBatch		batch = {0};
	BiVerdict	verdict = step->provider->read_poll(&step->call, step->ex, &batch);

	if (verdict.kind == BI_ABSENT && !is_young(step->chunk))
	{
		become_ambiguous(step, "the provider does not know the batch any more; was the key changed to another project's?");
		return;
	}
	if (verdict.kind != BI_OK)
	{
		defer(step, &verdict, step->chunk->state);
		return;
	}
	take_refs(step, &batch);
	switch (batch.state)
	{
		case BI_BATCH_WAITING:
		case BI_BATCH_RUNNING:
			still_there(step, batch.state == BI_BATCH_RUNNING);
			break;
		case BI_BATCH_COMPLETED:
			ended(step, "completed");
			break;
		case BI_BATCH_EXPIRED:
			ended(step, "expired");
			break;
		case BI_BATCH_CANCELLED:
			ended(step, "cancelled");
			break;
		case BI_BATCH_FAILED:
			failed(step, &batch);
			break;
	}
}

void
bi_move_poll(BiStep *step)
{
	step->provider->poll(&step->call, bi_step_exchange(step));
	bi_step_send(step, read_poll);
}

/* Cancel */

static void
read_cancel(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_cancel(&step->call, step->ex);
	BiRecordOf *r;

	if (verdict.kind != BI_OK && verdict.kind != BI_ABSENT && verdict.kind != BI_REFUSED)
	{
		defer(step, &verdict, BI_CANCELLING);
		return;
	}
	/* Whatever it said, the batch itself tells. */
	r = begin_record(step, BI_CANCELLING, "cancel sent");
	step->chunk->refs = bi_ref_set(step->chunk->refs, "cancel_sent", "yes");
	step->chunk->polls = 0;
	r->heard = true;
	r->delay_ms = Min(1000, poll_ms(step));
	bi_step_record(step, NULL);
}

void
bi_move_cancel(BiStep *step)
{
	step->provider->cancel(&step->call, bi_step_exchange(step));
	bi_step_send(step, read_cancel);
}

/* Fetch */

static void send_fetch(BiStep *step);

/* A results file ends with a whole line. */
static bool
ends_whole(BiSpool *spool)
{
	char		last;

	return bi_spool_size(spool) == 0 ||
		(bi_spool_get(spool, bi_spool_size(spool) - 1, &last, 1) == 1 && (last == '\n' || last == '}'));
}

static void
read_fetch(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_fetch(&step->call, step->ex);

	if (verdict.kind == BI_OK && !ends_whole(llast(step->spools)))
	{
		verdict.kind = BI_UNCLEAR;
		verdict.code = "truncated";
		verdict.message = "the results file ends within a line";
	}
	if (verdict.kind == BI_OK)
	{
		step->part++;
		step->work = send_fetch;
	}
	else if (verdict.kind == BI_ABSENT && step->chunk->failures >= ABSENT_TRIES)
		become_ambiguous(step, "the provider does not have the results file");
	else
		defer(step, &verdict, BI_FETCHING);
}

static void
send_fetch(BiStep *step)
{
	BiExchange *ex = bi_step_exchange(step);
	BiSpool    *spool = bi_spool_new(step->cxt);
	BiRecordOf *r;

	if (step->provider->fetch(&step->call, step->part, ex))
	{
		ex->download = spool;
		step->spools = lappend(step->spools, spool);
		bi_step_send(step, read_fetch);
		return;
	}
	bi_spool_close(spool);
	r = bi_step_begin_record(step);
	step->chunk->state = BI_DELIVERING;
	step->chunk->failures = 0;
	r->hold = true;
	r->heard = true;
	bi_step_record(step, bi_deliver_start);
}

void
bi_move_fetch(BiStep *step)
{
	step->part = 0;
	step->spools = NIL;
	send_fetch(step);
}

/* Clean */

static void send_discard(BiStep *step);

static void
cleaned(BiStep *step, const char *left)
{
	BiRecordOf *r = bi_step_begin_record(step);
	const char *end = step->chunk->batch_end;

	step->chunk->state = strcmp(end, "failed") == 0 ? BI_FAILED : strcmp(end, "cancelled") == 0 ? BI_CANCELLED : BI_DONE;
	step->chunk->failures = 0;
	r->heard = left == NULL;
	r->event = left ? "left behind" : bi_ref_get(step->chunk->refs, "input") ? "cleaned" : NULL;
	r->detail = left ? pstrdup(left) : NULL;
	r->also = NULL;
	bi_step_record(step, NULL);
}

static void
read_discard(BiStep *step)
{
	BiVerdict	verdict = step->provider->read_discard(&step->call, step->ex);

	if (verdict.kind == BI_OK || verdict.kind == BI_ABSENT)
	{
		step->part++;
		step->work = send_discard;
	}
	else if (verdict.kind == BI_REFUSED || step->chunk->failures >= CLEAN_TRIES)
		cleaned(step, verdict_text(&verdict));
	else
		defer(step, &verdict, BI_CLEANING);
}

static void
send_discard(BiStep *step)
{
	if (step->provider->discard(&step->call, step->part, bi_step_exchange(step)))
		bi_step_send(step, read_discard);
	else
		cleaned(step, NULL);
}

void
bi_move_clean(BiStep *step)
{
	step->part = 0;
	send_discard(step);
}
