/*
 * engine/results/deliver.c: a chunk's results, from its spools to the end of its attempt.
 *
 * A delivery is the last part of a step that has fetched the results files of a batch.  The
 * files are complete in spools, and the chunk is "delivering" in the table.
 *
 *     spools → reader → group of results → apply → … → settle → chunk is "cleaning"
 *              match, accept              lookup, write, insert
 *
 * The parts: BiReader reads lines and makes results of them; BiApply puts them into the tables;
 * BiWorkspace holds the memory of one group and the time of one slice.  BiDeliver owns the
 * three, and lives as long as its step.
 *
 * The order, each a piece of work of the step.  A piece ends after the record at which it has
 * taken 100 ms (a slice), except for code of the job's owner: see share.c.
 *
 * 1. deliver_group reads a group of at most 500 results and applies it; or applies one, or the
 *    rest of one, for which the time of one slice was too short.
 * 2. If the reader waits for a join, the join is made (join.c), and 1 goes on.
 * 3. At the end of the last file settle decides:
 *
 *    - fewer lines came than the provider reports, or requests have no answer although the batch
 *      completed: the files are fetched again, a few times, before a request is paid for again;
 *    - some lines are damaged, and no good line came for their records: a second pass over the
 *      same files keeps what can be kept of them;
 *    - some answers could not be saved, the disk being full, say: they are fetched again until
 *      they can be saved; nothing is deleted at the provider meanwhile;
 *    - otherwise the attempt ends.  In one transaction each record without a result gets the
 *      outcome that the batch's end says, records that are worth another attempt move to a new
 *      chunk, and the chunk becomes "cleaning".
 *
 * On an error outside of a group's transaction (the spool cannot be read, say) the step fails
 * and its chunk is due again as "delivering": it is fetched and delivered again from the
 * beginning.  Results that are in the tables already are passed over, so that costs time only.
 * The same holds after a crash: spools do not outlive their process.
 *
 * Why not one transaction for a chunk?  It would hold locks on target rows for minutes, and one
 * bad row would undo 50,000.  Why not a row each?  It would be ten times slower.
 */
#include "postgres.h"

#include <time.h>

#include "base/guc.h"
#include "engine/react.h"
#include "engine/results/apply.h"
#include "engine/results/copies.h"
#include "engine/results/deliver.h"
#include "engine/results/reader.h"
#include "engine/results/second.h"
#include "engine/results/swap.h"
#include "store/attempt.h"
#include "store/rate.h"
#include "store/stray.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A note of ours among the batch's references: how often its results were asked for again. */
#define REF_SHORT "short"

/* The same: how often the chunk was left to another process. */
#define REF_LEFT "left"

/* How often it may be. */
#define LEAVE_TIMES 2

/* How often answers that are not in the results are asked for again. */
#define UNANSWERED_TRIES 2

/* A delivery.  Made by bi_deliver_start, or for repeated writes by bi_deliver_rewrite, in the
 * step's context, and gone with it.  Only this file writes it. */
struct BiDeliver
{
	BiWorkspace space;
	BiAccept   *accept;			/* NULL for repeated writes, as are reader's members */
	BiReader	reader;
	BiCopyReader *copies;		/* in its place, for a chunk of copies; else NULL */
	BiApply		apply;
	TimestampTz since;			/* when it began */
	bool		is_partial;		/* the download was ended: what has come is delivered */
	BiResult   *results;		/* the group under way, in space.group_cxt */
	int			nresults;
	int			applied;		/* how many of them, from the first, are in the tables */
	pg_uuid_t	marked;			/* the last value that was looked at, where rows are replaced */
};

static void settle(BiStep *step);

/* Reads the next group, once the last one is in the tables. */
static void
read_group(BiDeliver *d)
{
	MemoryContextReset(d->space.group_cxt);
	d->results = MemoryContextAlloc(d->space.group_cxt, sizeof(BiResult) * BI_WORKSPACE_GROUP);
	d->applied = d->nresults = 0;
	d->nresults = d->copies ? bi_copies_read(d->copies, d->results)
		: bi_reader_read(&d->reader, d->results);
}

/* Looks which values are complete, before the attempt ends. */
static void
mark_values(BiStep *step)
{
	step->work = bi_swap_mark(step, &step->deliver->marked) ? mark_values : settle;
}

/* Delivers for a slice of time: a group, or as much of one as there is time for. */
static void
deliver_group(BiStep *step)
{
	BiDeliver  *d = step->deliver;
	bool		is_read = d->applied < d->nresults;
	MemoryContext old = MemoryContextSwitchTo(d->space.group_cxt);

	bi_workspace_begin_slice(&d->space);
	if (!is_read)
		read_group(d);
	if (d->applied < d->nresults && (is_read || !bi_workspace_is_over(&d->space)))
		d->applied += bi_apply_group(&d->apply, d->results + d->applied,
									 d->nresults - d->applied);
	MemoryContextSwitchTo(old);
	step->work = deliver_group;
	if (d->applied < d->nresults)
		return;
	if (d->reader.seconds)
		bi_second_count(&d->apply, d->reader.seconds);
	d->reader.seconds = NIL;
	if (bi_reader_awaits_join(&d->reader))
		d->reader.match.join = bi_join_start(step, d->reader.match.first_seq, d->space.line_cxt,
											 deliver_group);
	else if (d->copies ? d->copies->is_at_end : bi_reader_is_at_end(&d->reader))
		step->work = step->job->spec.write_mode == BI_WRITE_MODE_REPLACE ? mark_values : settle;
}

bool
bi_deliver_runs_code(const BiStep *step)
{
	return step->work == deliver_group || step->work == bi_deliver_rewrite;
}

/* Returns a reference of the batch, or a note that an earlier delivery left there; or NULL. */
static const char *
get_note(const BiStep *step, const char *name)
{
	return bi_ref_get(step->chunk->batch->refs, name);
}

/* Returns the number that an earlier delivery left; 0 if none has. */
static int64
get_number(const BiStep *step, const char *name)
{
	const char *number = get_note(step, name);

	return number ? strtoll(number, NULL, 10) : 0;
}

/* Leaves a number for the next delivery of the same batch. */
static void
set_note(BiStep *step, const char *name, int64 number)
{
	BiBatch    *batch = step->chunk->batch;

	batch->refs = bi_ref_set(batch->refs, name, psprintf(INT64_FORMAT, number));
}

int64
bi_deliver_left(const BiStep *step)
{
	const BiDeliver *d = step->deliver;

	/* Results that could not be saved are counted here, and nowhere else. */
	if (step->work != deliver_group || d->is_partial || d->reader.salvaging ||
		d->apply.unsaved > 0 || get_number(step, REF_LEFT) >= LEAVE_TIMES)
		return 0;
	return step->chunk->records - (d->copies ? d->copies->taken : d->reader.counts.lines) +
		d->nresults - d->applied;
}

TimestampTz
bi_deliver_since(const BiStep *step)
{
	return step->deliver->since;
}

void
bi_deliver_leave(BiStep *step)
{
	set_note(step, REF_LEFT, get_number(step, REF_LEFT) + 1);
	(void) bi_step_begin_save(step);
	bi_step_save(step, NULL);
}

/* The end of an attempt */

/* Returns the outcome of records that no line answers, with an error code and message. */
static BiOutcome
rest_outcome(const BiStep *step, const char **code, const char **error)
{
	BiBatchEnd	end = step->chunk->batch->end;

	if (step->deliver->is_partial)
	{
		*code = "download_ended";
		*error = "the download of the results ended before this one came, because the job was "
			"cancelled or past its deadline";
		return step->wish == BI_WISH_DEADLINE ? BI_OUTCOME_EXPIRED : BI_OUTCOME_CANCELLED;
	}
	if (end == BI_BATCH_END_CANCELLED)
	{
		*code = "batch_cancelled";
		*error = "the batch was cancelled before this request was done";
		return bi_accept_is_late(step->deliver->accept)
			? BI_OUTCOME_EXPIRED : BI_OUTCOME_CANCELLED;
	}
	if (end == BI_BATCH_END_EXPIRED)
	{
		*code = "batch_expired";
		*error = "the batch expired before this request was done";
		return BI_OUTCOME_EXPIRED;
	}
	*code = "missing";
	*error = "the provider's results do not mention this request";
	return BI_OUTCOME_MISSING;
}

static int64
unknown_lines(const BiDeliver *d)
{
	return d->reader.counts.unknown + d->apply.unknown;
}

/* Ends the attempt, in the transaction that saves the chunk. */
static void
save_settled(BiStep *step, void *arg)
{
	BiDeliver  *d = step->deliver;
	const char *code;
	const char *error;
	BiOutcome	rest = rest_outcome(step, &code, &error);
	BiJob	   *job = bi_job_load(CurrentMemoryContext, step->chunk->job_id);
	TimestampTz now = GetCurrentTimestamp();
	bool		is_stopped = job->cancelled || job->deadline <= now;
	bool		may_retry = !is_stopped && job->spec.retry_until > now;
	bool		is_cut = d->is_partial || rest == BI_OUTCOME_CANCELLED ||
		bi_accept_is_late(d->accept);
	BiStrayLines lines = {
		d->reader.counts.duplicates, unknown_lines(d), d->reader.counts.malformed,
		d->apply.second_cost, d->apply.second_unpriced
	};

	(void) bi_attempt_rest(step->chunk, rest, !is_cut, code, error);
	(void) bi_attempt_settle(step->chunk, may_retry);
	bi_stray_note(step->chunk, &lines);
	bi_rate_judge(job, step->chunk);
	(void) bi_job_finish(&step->chunk->job_id, 1);
}

static void
drop_notes(BiStep *step)
{
	static const char *const notes[] = {REF_SHORT, BI_APPLY_UNSAVED, REF_LEFT};
	BiBatch    *batch = step->chunk->batch;

	for (int i = 0; i < lengthof(notes); i++)
		batch->refs = bi_ref_set(batch->refs, notes[i], NULL);
}

/* True if fewer lines came than the provider reports. */
static bool
is_short(const BiStep *step)
{
	const char *reported = get_note(step, BI_REF_LINES);

	return reported && strtoll(reported, NULL, 10) > step->deliver->reader.counts.lines;
}

/* Returns how many requests no line answers, if their answers may have been lost on the way.  A
 * batch that was cut off has no answers to all, so there only odd lines are a reason. */
static int64
count_unanswered(const BiStep *step)
{
	const BiDeliver *d = step->deliver;
	const BiLineCounts *counts = &d->reader.counts;
	bool		is_cut = step->chunk->batch->end != BI_BATCH_END_COMPLETED;

	if (is_cut && unknown_lines(d) == 0 && counts->malformed == 0 && counts->damaged == 0)
		return 0;
	return step->chunk->records - bi_match_answered(&d->reader.match);
}

/* Counts one more request for the same results.  Returns false after the most-th. */
static bool
may_ask_again(BiStep *step, int64 most)
{
	int64		n = get_number(step, REF_SHORT) + 1;

	set_note(step, REF_SHORT, n);
	return n <= most;
}

/* Appends "joined by label: 18, by content: 2". */
static void
append_channels(StringInfo text, const BiMatch *match)
{
	for (int i = 0; i < BI_CHANNELS && match->channels[i].name; i++)
		appendStringInfo(text, "%s by %s: " INT64_FORMAT, i == 0 ? "joined" : ",",
						 match->channels[i].name, match->channels[i].answers);
}

/* Begins another part of a list of remarks. */
static void
append_break(StringInfo text)
{
	if (text->len > 0)
		appendStringInfoString(text, "; ");
}

/* Appends what of the lines the reader could not use. */
static void
append_odd_lines(StringInfo text, const BiDeliver *d)
{
	const BiLineCounts *counts = &d->reader.counts;

	if (counts->duplicates > 0 || unknown_lines(d) > 0 || counts->malformed > 0)
	{
		append_break(text);
		appendStringInfo(text, INT64_FORMAT " duplicate, " INT64_FORMAT " unknown and "
						 INT64_FORMAT " malformed lines",
						 counts->duplicates, unknown_lines(d), counts->malformed);
	}
	if (counts->repaired > 0)
	{
		append_break(text);
		appendStringInfo(text, INT64_FORMAT " lines with bytes that are not UTF-8 were read",
						 counts->repaired);
	}
	if (counts->damaged > 0)
	{
		append_break(text);
		appendStringInfo(text, INT64_FORMAT " lines cannot be read", counts->damaged);
	}
}

/* Returns what is worth knowing of the results, for the event; NULL if nothing is. */
static char *
describe(const BiStep *step)
{
	const BiDeliver *d = step->deliver;
	int64		unanswered = count_unanswered(step);
	StringInfoData text;

	initStringInfo(&text);
	append_channels(&text, &d->reader.match);
	append_odd_lines(&text, d);
	if (is_short(step))
	{
		append_break(&text);
		appendStringInfo(&text, INT64_FORMAT " lines came, and the provider reports %s",
						 d->reader.counts.lines, get_note(step, BI_REF_LINES));
	}
	if (unanswered > 0)
	{
		append_break(&text);
		appendStringInfo(&text, INT64_FORMAT " of " INT64_FORMAT " requests have no answer",
						 unanswered, step->chunk->records);
	}
	return text.len > 0 ? text.data : NULL;
}

/* True if answers of this chunk could not be saved for batchinf.write_give_up. */
static bool
is_overdue(const BiStep *step)
{
	const char *since = get_note(step, BI_APPLY_UNSAVED);

	return since && (int64) time(NULL) - strtoll(since, NULL, 10) >= bi_guc_write_give_up;
}

/* Some answers could not be saved, for a reason that is not theirs.  Leaves them at the provider
 * and asks for them again later. */
static void
fetch_again(BiStep *step)
{
	BiApply    *apply = &step->deliver->apply;
	BiChunk    *chunk = step->chunk;
	BiVerdict	verdict = {BI_VERDICT_UNCLEAR, "local_error"};

	verdict.message = bi_apply_unsaved(apply);
	if (bi_apply_note_unsaved(apply))
		ereport(LOG,
				(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " %s",
						chunk->id, chunk->job_id, verdict.message),
				 errdetail("They stay at the provider and are fetched again.")));
	bi_react_defer(step, NULL, &verdict, BI_CHUNK_FETCHING);
	step->save.wait.kind = BI_WAIT_ERROR;
}

/* True if answers seem to be lost on the way, and asking for the files once more may bring them. */
static bool
should_ask_again(BiStep *step)
{
	return (is_short(step) && may_ask_again(step, BI_REACT_ABSENT_TRIES)) ||
		(count_unanswered(step) > 0 && may_ask_again(step, UNANSWERED_TRIES));
}

/* Decides what follows the last line: see the head of this file. */
static void
settle(BiStep *step)
{
	BiDeliver  *d = step->deliver;
	BiVerdict	verdict = {BI_VERDICT_UNCLEAR, "incomplete"};
	bool		is_first_pass = !d->reader.salvaging && !d->is_partial;
	BiStepSave *save;

	if (d->copies)
	{
		bi_copies_settle(step, d->copies, &d->apply);
		return;
	}
	verdict.message = describe(step);
	if (is_first_pass && should_ask_again(step))
	{
		bi_react_defer(step, NULL, &verdict, BI_CHUNK_FETCHING);
		return;
	}
	if (is_first_pass && d->reader.counts.damaged > 0)
	{
		bi_reader_salvage(&d->reader);
		step->work = deliver_group;
		return;
	}
	if (d->apply.unsaved > 0)
	{
		fetch_again(step);
		return;
	}
	save = bi_step_begin_save(step);
	step->chunk->state = BI_CHUNK_CLEANING;
	step->chunk->failures = 0;
	drop_notes(step);
	save->event = "delivered";
	save->detail = verdict.message;
	save->on_save = save_settled;
	bi_step_save(step, NULL);
}

/* The beginning */

/* Returns a delivery that can apply results, in the step's context. */
static BiDeliver *
new_deliver(BiStep *step)
{
	BiDeliver  *d = MemoryContextAllocZero(step->cxt, sizeof(BiDeliver));

	bi_workspace_init(&d->space, step->cxt);
	d->apply.step = step;
	d->apply.space = &d->space;
	d->apply.is_overdue = is_overdue(step);
	bi_tariff_begin(&d->apply.tariffs, step->cxt, step->job);
	return d;
}

/* The spools of a delivery that begins. */
typedef struct Begin
{
	BiStep	   *step;
	List	   *spools;
} Begin;

static void
begin_phase(void *arg)
{
	Begin	   *begin = arg;
	BiDeliver  *d = begin->step->deliver;
	MemoryContext old = MemoryContextSwitchTo(begin->step->cxt);

	bi_reader_begin(&d->reader, begin->step, begin->spools, &d->space, d->accept);
	MemoryContextSwitchTo(old);
}

void
bi_deliver_start(BiStep *step, List *spools, bool is_partial)
{
	BiDeliver  *d = new_deliver(step);
	Begin		begin = {step, spools};
	ErrorData  *error;

	step->deliver = d;
	d->is_partial = is_partial;
	d->since = GetCurrentTimestamp();
	d->accept = bi_accept_new(step->job, step->blot);
	if (step->chunk->copies != BI_COPIES_NONE)
		d->copies = bi_copies_begin(step, &d->space, d->accept);
	error = bi_xact_run(step->mode, begin_phase, &begin);
	if (error)
		ReThrowError(error);
	step->work = deliver_group;
}

void
bi_deliver_copies(BiStep *step)
{
	bi_deliver_start(step, NIL, false);
}

void
bi_deliver_rewrite(BiStep *step)
{
	BiDeliver  *d;
	ErrorData  *error;

	step->move = BI_MOVE_REWRITE;
	if (step->deliver == NULL)
		step->deliver = new_deliver(step);
	d = step->deliver;
	MemoryContextReset(d->space.group_cxt);
	bi_workspace_begin_slice(&d->space);
	d->results = MemoryContextAlloc(d->space.group_cxt, sizeof(BiResult) * BI_WORKSPACE_GROUP);
	error = bi_apply_again(&d->apply, d->results);
	if (error == NULL)
		return;
	bi_fault_kept(step->process_faults, error);
	bi_step_let_go(step, psprintf("could not repeat the writes: %s", error->message),
				   bi_react_backoff(1000, 2, 60000, step->chunk->write_tries));
}
