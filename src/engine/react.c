/*
 * engine/react.c: what replies mean for a chunk and its server.
 *
 * The one place that turns verdicts into waits, pauses and refusals.  A verdict says what happened
 * (its kind) and whom it is about (its scope); nothing here reads an HTTP status for that.
 * Knows no provider by name and no SQL.
 */
#include "postgres.h"

#include <time.h>

#include "base/backoff.h"
#include "base/guc.h"
#include "common/pg_prng.h"
#include "engine/login.h"
#include "engine/react.h"
#include "provider/answer.h"
#include "store/attempt.h"
#include "store/pipeline.h"
#include "store/rate.h"
#include "store/record.h"
#include "store/result.h"

/* The longest time that a reply can make us wait. */
#define ASKED_CAP_MS (24 * 60 * 60 * 1000)

int64
bi_react_backoff(int64 base_ms, double factor, int64 cap_ms, int n)
{
	return bi_backoff_ms(base_ms, factor, cap_ms, n, pg_prng_double(&pg_global_prng_state));
}

int64
bi_react_poll_ms(const BiStep *step)
{
	return step->limits.poll_interval * 1000;
}

int64
bi_react_settle_ms(const BiStep *step)
{
	return Max(bi_guc_settle_time, step->limits.settle_time * 1000);
}

/* Returns how long the reply asks to wait, -1 if it does not say. */
static int64
retry_after_ms(const BiStepExchange *exchange)
{
	if (exchange == NULL)
		return -1;
	return bi_exchange_retry_after(bi_step_current(exchange), (int64) time(NULL));
}

BiStepSave *
bi_react_begin_save(BiStep *step, const BiStepExchange *exchange, BiChunkState to,
					const char *event)
{
	BiStepSave *save = bi_step_begin_save(step);
	const char *header = step->provider->defaults.request_id_header;
	const char *id;

	step->chunk->state = to;
	save->event = event ? pstrdup(event) : NULL;
	if (exchange == NULL)
		return save;
	id = bi_exchange_reply_header(bi_step_current(exchange), header ? header : "x-request-id");
	save->status = bi_step_current(exchange)->status;
	save->request_id = id ? pstrdup(id) : NULL;
	return save;
}

char *
bi_react_text(const BiVerdict *verdict)
{
	return psprintf("%s: %s", verdict->code, verdict->message);
}

/* Sets for how long the verdict pauses the server for the owner's jobs; not at all if it is about
 * this one request.  Others have keys of their own: what they meet there they find out. */
static void
set_pause(BiStep *step, const BiStepExchange *exchange, const BiVerdict *verdict)
{
	int			n = step->server_failures;
	int64		poll = bi_react_poll_ms(step);
	int64		asked = Min(Max(retry_after_ms(exchange), verdict->wait_ms), ASKED_CAP_MS);
	bool		denied = verdict->kind == BI_VERDICT_DENIED;
	int64		base = denied ? poll : Min(BI_REACT_DEFER_BASE_MS, poll);

	if (verdict->scope == BI_SCOPE_REQUEST)
		return;
	if (denied)
		step->save.pause_cause = BI_PAUSE_DENIED;
	else if (verdict->scope == BI_SCOPE_KEY)
		step->save.pause_cause = BI_PAUSE_THROTTLED;
	step->save.pause_asked = exchange ? exchange->sent_at : 0;
	step->save.pause_ms = Max(asked, bi_react_backoff(base, 2, BI_REACT_DEFER_CAP_MS, n));
}

/* Returns how long this chunk waits: longer each time that it fails in a row, however good the
 * server is to others. */
static int64
chunk_delay_ms(const BiStep *step)
{
	return bi_react_backoff(Min(BI_REACT_DEFER_BASE_MS, bi_react_poll_ms(step)), 2,
							BI_REACT_DEFER_CAP_MS, step->chunk->failures);
}

/* Returns the kind of the wait after that verdict. */
static BiWaitKind
wait_kind(const BiStepExchange *exchange, const BiVerdict *verdict)
{
	if (exchange && bi_step_current(exchange)->cause == BI_CAUSE_LIMIT)
		return BI_WAIT_TOO_LARGE;
	switch (verdict->kind)
	{
		case BI_VERDICT_DENIED:
			return BI_WAIT_KEY;
		case BI_VERDICT_DEFER:
			return verdict->scope == BI_SCOPE_KEY ? BI_WAIT_THROTTLED : BI_WAIT_SERVER;
		case BI_VERDICT_NOT_YET:
		case BI_VERDICT_ABSENT:
			return BI_WAIT_NOT_READY;
		case BI_VERDICT_OK:
		case BI_VERDICT_REFUSED:
		case BI_VERDICT_UNCLEAR:
			break;
	}
	return BI_WAIT_SERVER;
}

void
bi_react_defer(BiStep *step, const BiStepExchange *exchange, const BiVerdict *verdict,
			   BiChunkState back)
{
	BiStepSave *save = bi_react_begin_save(step, exchange, back, "deferred");

	if (verdict->kind == BI_VERDICT_DENIED)
		bi_login_drop(step->server);
	save->detail = bi_react_text(verdict);
	save->wait = (BiWait) {wait_kind(exchange, verdict), save->detail};
	set_pause(step, exchange, verdict);
	save->delay_ms = Max(save->pause_ms, chunk_delay_ms(step));
	step->chunk->failures++;
	if (exchange && bi_step_current(exchange)->cause == BI_CAUSE_STOPPED)
	{
		/* The next claim sees what is wanted now.  If that is the same again, it waits as usual. */
		save->pause_ms = 0;
		if (exchange->unwanted_at != 0 && back != BI_CHUNK_FETCHING)
			save->delay_ms = 0;
	}
	bi_step_save(step, NULL);
}

BiChunkState
bi_react_before_create(const BiStep *step)
{
	return step->provider->batch->upload ? BI_CHUNK_UPLOADED : BI_CHUNK_PLANNED;
}

BiChunkState
bi_react_final(const BiChunk *chunk)
{
	if (chunk->batch->end == BI_BATCH_END_FAILED)
		return BI_CHUNK_FAILED;
	return chunk->batch->end == BI_BATCH_END_CANCELLED ? BI_CHUNK_CANCELLED : BI_CHUNK_DONE;
}

void
bi_react_ambiguous(BiStep *step, const BiStepExchange *exchange, const char *reason)
{
	bool		is_new = step->saved_state != BI_CHUNK_AMBIGUOUS;
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_AMBIGUOUS,
										   is_new ? "ambiguous" : NULL);
	int64		delay = bi_react_backoff(bi_react_poll_ms(step), 2, BI_REACT_DEFER_CAP_MS,
										 step->chunk->failures++);

	save->detail = pstrdup(reason);
	save->wait = (BiWait) {BI_WAIT_AMBIGUOUS, save->detail};
	save->delay_ms = Max(delay, Min(retry_after_ms(exchange), ASKED_CAP_MS));
	if (is_new)
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " is ambiguous: %s",
						step->chunk->id, step->chunk->job_id, reason)));
	bi_step_save(step, NULL);
}

/* Ends the records whose lines the provider named, with its words.  Returns how many. */
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
		bi_answer_begin(&step->call, &result->answer);
		bi_answer_fail(&result->answer, BI_OUTCOME_ERRORED, false, fault->code, fault->message);
		n++;
	}
	bi_result_lookup(CurrentMemoryContext, step->chunk, results, n);
	(void) bi_result_insert(step->chunk, results, n);
	bi_pipeline_answer(step->job, results, n);
	return n;
}

/* Ends all records of a batch that was refused; if the job is over, as its owner wished. */
static void
end_all(BiStep *step, const BiFault *fault)
{
	BiOutcome	outcome = BI_OUTCOME_ERRORED;

	if (step->wish == BI_WISH_CANCEL)
		outcome = BI_OUTCOME_CANCELLED;
	else if (step->wish != BI_WISH_NONE)
		outcome = BI_OUTCOME_EXPIRED;
	(void) bi_attempt_rest(step->chunk, outcome, false, fault->code, fault->message);
}

/* In the save's transaction: arg is the list of faults. */
static void
save_failed(BiStep *step, void *arg)
{
	const List *faults = arg;
	bool		wished = step->wish != BI_WISH_NONE;

	if (wished || end_bad_lines(step, faults) == 0)
		end_all(step, linitial(faults));
	else
		(void) bi_attempt_resend(step->chunk);
	(void) bi_attempt_settle(step->chunk, false);
	bi_rate_judge(step->job, step->chunk);
	(void) bi_job_finish(&step->chunk->job_id, 1);
}

void
bi_react_fail(BiStep *step, const BiStepExchange *exchange, List *faults)
{
	BiFault    *first = linitial(faults);
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_CLEANING, "failed");

	bi_batch_finish(step->chunk->batch, BI_BATCH_END_FAILED);
	step->chunk->failures = 0;
	save->error = first->message;
	save->detail = psprintf("%s: %s", first->code, first->message);
	save->server_works = true;
	save->frees_room = true;
	save->on_save = save_failed;
	save->on_save_arg = faults;
	ereport(LOG,
			(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT
					" was refused by the provider: %s",
					step->chunk->id, step->chunk->job_id, save->detail)));
	bi_step_save(step, NULL);
}

BiFault *
bi_react_fault(const char *code, const char *message)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup(code);
	fault->message = pstrdup(message);
	return fault;
}

void
bi_react_refuse(BiStep *step, const BiStepExchange *exchange, const BiVerdict *verdict)
{
	bi_react_fail(step, exchange, list_make1(bi_react_fault(verdict->code, verdict->message)));
}

bool
bi_react_take_refs(BiStep *step, const BiBatchReport *batch)
{
	List	  **refs = &step->chunk->batch->refs;
	bool		changed = false;
	ListCell   *cell;

	foreach(cell, batch->refs)
	{
		BiRef	   *ref = lfirst(cell);
		const char *known = bi_ref_get(*refs, ref->name);

		if (known && ref->value && strcmp(known, ref->value) == 0)
			continue;
		changed = changed || known || ref->value;
		*refs = bi_ref_set(*refs, ref->name, ref->value);
	}
	return changed;
}
