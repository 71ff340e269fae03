/*
 * engine/react.c: what replies mean for a chunk and its server.
 *
 * The one place that turns verdicts into waits, pauses and refusals.  Knows no provider
 * by name and no SQL.  Called by claim.c, create.c and follow.c.
 */
#include "postgres.h"

#include <time.h>

#include "base/backoff.h"
#include "base/guc.h"
#include "common/pg_prng.h"
#include "engine/login.h"
#include "engine/react.h"
#include "store/rate.h"

/* The longest that a reply can make us wait. */
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

static int64
retry_after_ms(const BiStep *step)
{
	return step->ex ? bi_exchange_retry_after(step->ex, (int64) time(NULL)) : -1;
}

BiRecordOf *
bi_react_record(BiStep *step, BiState to, const char *event)
{
	BiRecordOf *r = bi_step_begin_record(step);
	const char *header = step->provider->request_id ? step->provider->request_id : "x-request-id";
	const char *id = bi_exchange_reply_header(step->ex, header);

	step->chunk->state = to;
	r->event = event ? pstrdup(event) : NULL;
	r->status = step->ex->status;
	r->request_id = id ? pstrdup(id) : NULL;
	return r;
}

char *
bi_react_text(const BiVerdict *verdict)
{
	return psprintf("%s: %s", verdict->code, verdict->message);
}

/* Whom a verdict holds up, and how long: 0 is the chunk alone. */
static int64
pause_length(BiStep *step, const BiVerdict *verdict, Oid *owner)
{
	int			n = step->server_failures;
	int64		asked = Min(Max(retry_after_ms(step), verdict->wait_ms), ASKED_CAP_MS);
	int64		base = Min(BI_REACT_DEFER_BASE_MS, bi_react_poll_ms(step));

	/* What a key may do, and how often, is its owner's affair: others have their own. */
	*owner = verdict->kind == BI_DENIED || (verdict->kind == BI_DEFER && step->ex->status / 100 == 4) ? step->job->owner : InvalidOid;
	if (verdict->kind == BI_NOT_YET)
		return 0;
	if (verdict->kind == BI_DENIED)
		return Max(asked, bi_react_backoff(bi_react_poll_ms(step), 2, BI_REACT_DEFER_CAP_MS, n));
	if (verdict->kind == BI_DEFER || step->ex->status >= 500)
		return Max(asked, bi_react_backoff(base, 2, BI_REACT_DEFER_CAP_MS, n));
	return 0;
}

void
bi_react_defer(BiStep *step, const BiVerdict *verdict, BiState back)
{
	BiRecordOf *r = bi_react_record(step, back, "deferred");

	if (verdict->kind == BI_DENIED)
		bi_login_drop(step->server);
	r->detail = bi_react_text(verdict);
	r->waiting_for = r->detail;
	r->denied = verdict->kind == BI_DENIED;
	r->pause_ms = pause_length(step, verdict, &r->pause_owner);
	/* What fails by itself waits longer each time, however good the server is to others. */
	r->delay_ms = Max(r->pause_ms, bi_react_backoff(Min(BI_REACT_DEFER_BASE_MS, bi_react_poll_ms(step)), 2, BI_REACT_DEFER_CAP_MS, step->chunk->failures));
	step->chunk->failures++;
	if (step->ex->cause == BI_CAUSE_STOPPED)
	{
		/* The claim sees what is wanted now.  Where that is the same again, it waits as always. */
		r->pause_ms = 0;
		if (step->unwanted_at != 0 && back != BI_FETCHING)
			r->delay_ms = 0;
	}
	bi_step_record(step, NULL);
}

BiState
bi_react_before_create(const BiStep *step)
{
	return step->provider->upload ? BI_UPLOADED : BI_PLANNED;
}

BiState
bi_react_final(const BiChunk *chunk)
{
	if (strcmp(chunk->batch_end, "failed") == 0)
		return BI_FAILED;
	return strcmp(chunk->batch_end, "cancelled") == 0 ? BI_CANCELLED : BI_DONE;
}

void
bi_react_ambiguous(BiStep *step, const char *reason)
{
	BiRecordOf *r = bi_react_record(step, BI_AMBIGUOUS, step->record.from == BI_AMBIGUOUS ? NULL : "ambiguous");

	r->detail = pstrdup(reason);
	r->waiting_for = r->detail;
	r->delay_ms = bi_react_backoff(bi_react_poll_ms(step), 2, BI_REACT_DEFER_CAP_MS, step->chunk->failures++);
	r->delay_ms = Max(r->delay_ms, Min(retry_after_ms(step), ASKED_CAP_MS));
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
		(void) bi_result_resend(step->chunk);
	(void) bi_result_settle(step->chunk, false);
	bi_rate_judge(step->job, step->chunk);
	bi_job_finish_due();
}

void
bi_react_fail(BiStep *step, List *faults)
{
	BiFault    *first = linitial(faults);
	BiRecordOf *r = bi_react_record(step, BI_CLEANING, "failed");

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

BiFault *
bi_react_fault(const char *code, const char *message)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup(code);
	fault->message = pstrdup(message);
	return fault;
}

void
bi_react_refuse(BiStep *step, const BiVerdict *verdict)
{
	bi_react_fail(step, list_make1(bi_react_fault(verdict->code, verdict->message)));
}

void
bi_react_bury(BiChunk *chunk, const char *batch_id)
{
	const char *dead = bi_ref_get(chunk->refs, "dead");

	chunk->refs = bi_ref_set(chunk->refs, "dead", dead ? psprintf("%s %s", dead, batch_id) : batch_id);
}

void
bi_react_take_refs(BiStep *step, const BiBatch *batch)
{
	ListCell   *cell;

	foreach(cell, batch->refs)
	{
		BiRef	   *ref = lfirst(cell);

		step->chunk->refs = bi_ref_set(step->chunk->refs, ref->name, ref->value);
	}
}
