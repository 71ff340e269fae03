/*
 * engine/deliver.c: a chunk's results, from its spools to the end of its attempt.
 *
 * Group by group, each a piece of work of the step; then whoever got no answer is
 * told so, and what is worth it is sent again.  Called by follow.c and claim.c.
 */
#include "postgres.h"

#include <time.h>

#include "base/guc.h"
#include "engine/apply.h"
#include "engine/deliver.h"
#include "engine/join.h"
#include "engine/react.h"
#include "store/rate.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* The chunk's reference that says how often its results came short. */
#define SHORT "short"

/* The chunk's reference that says since when (seconds since 1970) answers could not be saved. */
#define UNSAVED "unsaved"

/* So often are answers that are not there asked for again. */
#define UNANSWERED_TRIES 2

static void settle(BiStep *step);

/* The next group, once the last one is in the tables. */
static void
read_group(BiStep *step)
{
	BiDeliver  *d = step->deliver;

	MemoryContextReset(d->group_cxt);
	d->results = MemoryContextAlloc(d->group_cxt, sizeof(BiResult) * BI_ANSWER_GROUP);
	d->applied = d->nresults = 0;
	d->nresults = bi_answer_read(step, d->results);
}

/* A slice of time: a group, or as much of one as there is time for. */
static void
deliver_group(BiStep *step)
{
	BiDeliver  *d = step->deliver;
	MemoryContext old = MemoryContextSwitchTo(d->group_cxt);

	bi_answer_begin_slice(d);
	if (d->applied == d->nresults)
		read_group(step);
	if (d->applied < d->nresults)
		d->applied += bi_apply_group(step, d->results + d->applied, d->nresults - d->applied);
	MemoryContextSwitchTo(old);
	if (d->applied < d->nresults)
		step->work = deliver_group;
	else
	{
		step->work = d->part < list_length(step->spools) ? deliver_group : settle;
		if (d->held)
			bi_join_start(step, deliver_group);
	}
}

/* The end of an attempt */

static BiOutcome
rest_outcome(const BiStep *step, const char **code, const char **error)
{
	const char *end = step->chunk->batch_end;

	if (step->partial)
	{
		*code = "download_ended";
		*error = "the job was cancelled or late, and the download of the results was ended before this one came";
		return step->wish == BI_WISH_DEADLINE ? BI_EXPIRED : BI_CANCELLED_RECORD;
	}
	if (end && strcmp(end, "cancelled") == 0)
	{
		*code = "batch_cancelled";
		*error = "the batch was cancelled before this request was done";
		return step->deliver->late ? BI_EXPIRED : BI_CANCELLED_RECORD;
	}
	if (end && strcmp(end, "expired") == 0)
	{
		*code = "batch_expired";
		*error = "the batch expired before this request was done";
		return BI_EXPIRED;
	}
	*code = "missing";
	*error = "the provider's results do not mention it";
	return BI_MISSING;
}

static void
settle_also(BiStep *step)
{
	const char *code;
	const char *error;
	BiOutcome	rest = rest_outcome(step, &code, &error);
	BiJob	   *job = bi_job_load(CurrentMemoryContext, step->chunk->job_id);
	bool		late = job->deadline <= GetCurrentTimestamp();
	bool		stopped = job->cancelled || late;
	bool		cut = step->partial || rest == BI_CANCELLED_RECORD || step->deliver->late;

	(void) bi_result_rest(step->chunk, rest, !cut, code, error);
	(void) bi_result_settle(step->chunk, !stopped);
	bi_result_note_lines(step->chunk, step->deliver->duplicates, step->deliver->unknown, step->deliver->malformed);
	bi_rate_judge(job, step->chunk);
	bi_job_finish_due();
}

/* The provider told of more lines than came, or of none: those that came are delivered, and
 * the rest is asked for again, a few times. */
static bool
is_short(const BiStep *step)
{
	const char *told = bi_ref_get(step->chunk->refs, BI_REF_LINES);

	return told != NULL && strtoll(told, NULL, 10) > step->deliver->nlines;
}

/* How many requests no line answers, where the way may have lost it: that is asked for again
 * before it is paid for again.  A batch that was cut off has no answers to all. */
static int64
unanswered(const BiStep *step)
{
	const BiDeliver *d = step->deliver;
	bool		cut = step->chunk->batch_end == NULL || strcmp(step->chunk->batch_end, "completed") != 0;

	if (cut && d->unknown == 0 && d->malformed == 0 && d->damaged == 0)
		return 0;
	return step->chunk->records - (bms_num_members(d->seen) - 1);
}

/* Counts the times; false: that was often enough. */
static bool
may_ask_again(BiStep *step, int64 most)
{
	const char *times = bi_ref_get(step->chunk->refs, SHORT);
	int64		n = times ? strtoll(times, NULL, 10) + 1 : 1;

	step->chunk->refs = bi_ref_set(step->chunk->refs, SHORT, psprintf(INT64_FORMAT, n));
	return n <= most;
}

/* "joined by label: 18, by content: 2" */
static void
append_channels(StringInfo text, const BiDeliver *d)
{
	for (int i = 0; i < BI_CHANNELS && d->channels[i].name; i++)
		appendStringInfo(text, "%s by %s: " INT64_FORMAT, i == 0 ? "joined" : ",", d->channels[i].name, d->channels[i].answers);
}

static char *
describe(const BiStep *step)
{
	const BiDeliver *d = step->deliver;
	StringInfoData text;

	initStringInfo(&text);
	append_channels(&text, d);
	if (text.len > 0 && (d->duplicates || d->unknown || d->malformed))
		appendStringInfoString(&text, "; ");
	if (d->duplicates || d->unknown || d->malformed)
		appendStringInfo(&text, INT64_FORMAT " duplicate, " INT64_FORMAT " unknown and " INT64_FORMAT " malformed lines",
						 d->duplicates, d->unknown, d->malformed);
	if (d->repaired)
		appendStringInfo(&text, "%s" INT64_FORMAT " malformed lines were read all the same: they hold bytes that are no UTF-8",
						 text.len > 0 ? "; " : "", d->repaired);
	if (d->damaged)
		appendStringInfo(&text, "%s" INT64_FORMAT " lines cannot be read",
						 text.len > 0 ? "; " : "", d->damaged);
	if (is_short(step))
		appendStringInfo(&text, "%s" INT64_FORMAT " lines came, and the provider told of %s", text.len > 0 ? "; " : "",
						 d->nlines, bi_ref_get(step->chunk->refs, BI_REF_LINES));
	if (unanswered(step) > 0)
		appendStringInfo(&text, "%s" INT64_FORMAT " of " INT64_FORMAT " requests have no answer", text.len > 0 ? "; " : "",
						 unanswered(step), step->chunk->records);
	return text.len > 0 ? text.data : NULL;
}

/* True if answers of this chunk could not be saved for batchinf.write_give_up. */
static bool
is_overdue(const BiStep *step)
{
	const char *since = bi_ref_get(step->chunk->refs, UNSAVED);

	return since && (int64) time(NULL) - strtoll(since, NULL, 10) >= bi_guc_write_give_up;
}

/* Some answers could not be saved, for a reason that is not theirs.  They have been paid for: what
 * is at the provider stays there, and is fetched again later.  Those saved already are passed over. */
static void
fetch_again(BiStep *step)
{
	BiVerdict	verdict = {BI_UNCLEAR, "local_error"};

	verdict.message = psprintf("could not save " INT64_FORMAT " answers: %s", step->deliver->unsaved, step->deliver->unsaved_why);
	if (bi_ref_get(step->chunk->refs, UNSAVED) == NULL)
	{
		step->chunk->refs = bi_ref_set(step->chunk->refs, UNSAVED, psprintf(INT64_FORMAT, (int64) time(NULL)));
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " %s", step->chunk->id, step->chunk->job_id,
						verdict.message),
				 errdetail("They stay at the provider and are fetched again.")));
	}
	bi_react_defer(step, &verdict, BI_FETCHING);
}

static void
settle(BiStep *step)
{
	BiVerdict	verdict = {BI_UNCLEAR, "incomplete", describe(step)};
	BiRecordOf *r;

	if (!step->deliver->salvaging && !step->partial &&
		((is_short(step) && may_ask_again(step, BI_REACT_ABSENT_TRIES)) ||
		 (unanswered(step) > 0 && may_ask_again(step, UNANSWERED_TRIES))))
	{
		bi_react_defer(step, &verdict, BI_FETCHING);
		return;
	}
	if (step->deliver->damaged > 0 && !step->deliver->salvaging && !step->partial)
	{
		bi_answer_salvage(step);
		step->work = deliver_group;
		return;
	}
	if (step->deliver->unsaved > 0)
	{
		fetch_again(step);
		return;
	}
	r = bi_step_begin_record(step);
	step->chunk->state = BI_CLEANING;
	step->chunk->failures = 0;
	step->chunk->refs = bi_ref_set(bi_ref_set(step->chunk->refs, SHORT, NULL), UNSAVED, NULL);
	r->event = "delivered";
	r->detail = verdict.message;
	r->also = settle_also;
	bi_step_record(step, NULL);
}

static void
read_bounds(void *arg)
{
	BiStep	   *step = arg;
	MemoryContext old = MemoryContextSwitchTo(step->cxt);

	bi_answer_bounds(step);
	MemoryContextSwitchTo(old);
}

void
bi_deliver_start(BiStep *step)
{
	ErrorData  *error;

	step->deliver = bi_answer_new(step);
	step->deliver->overdue = is_overdue(step);
	error = bi_xact_run(step->mode, read_bounds, step);
	if (error)
		ReThrowError(error);
	step->work = deliver_group;
}

void
bi_deliver_rewrite(BiStep *step)
{
	BiResult   *results;
	ErrorData  *error;

	step->rewrites = true;
	if (step->deliver == NULL)
		step->deliver = bi_answer_new(step);
	MemoryContextReset(step->deliver->group_cxt);
	bi_answer_begin_slice(step->deliver);
	results = MemoryContextAlloc(step->deliver->group_cxt, sizeof(BiResult) * BI_ANSWER_GROUP);
	error = bi_apply_again(step, results);
	if (error == NULL)
		return;
	bi_fault_kept(step->process_faults, error);
	bi_step_let_go(step, psprintf("could not repeat the writes: %s", error->message),
				   bi_react_backoff(1000, 2, 60000, step->chunk->write_tries));
}
