/*
 * engine/apply.c: puts a group of results into the tables and into target rows.
 *
 * One transaction for all of it (promise 2); what fails as a group is tried one by
 * one, so that one bad row stops nothing else (promise 4).  store/ writes.  Called by
 * deliver.c.
 */
#include "postgres.h"

#include "base/backoff.h"
#include "base/crash.h"
#include "base/guc.h"
#include "base/utf8.h"
#include "common/pg_prng.h"
#include "engine/apply.h"
#include "engine/blame.h"
#include "engine/budget.h"
#include "engine/limit.h"
#include "engine/remains.h"
#include "store/rate.h"
#include "store/writeback.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How long a write waits for a row lock: as a group, then alone. */
#define GROUP_LOCK_MS 1000
#define ROW_LOCK_MS 50

/* So many rows of one group found locked: the others are tried without waiting. */
#define LOCKED_ENOUGH 20
#define NO_WAIT_MS 1

/* However little time is left, each row that needs no more is written. */
#define RUN_MIN_MS 5

/* One group on its way. */
typedef struct Group
{
	BiStep	   *step;
	BiResult   *results;
	int			n;
	bool		again;			/* a repeated write: the outcomes stand */
	const ErrorData *error;		/* the target cannot be written, or writing broke the transaction */
	BiWriteback *wb;
	BiResult  **rows;			/* those of one write */
	int			nrows;
	bool		last;			/* none comes after it: it has all the time that is left, else half */
	int			lock_ms;
	TimestampTz until;			/* the owner's triggers and the like may run */
} Group;

static void
update_rows(void *arg)
{
	Group	   *group = arg;

	bi_writeback_update(group->wb, group->rows, group->nrows, group->lock_ms);
}

static void
write_rows(void *arg)
{
	Group	   *group = arg;
	int64		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), group->until);

	bi_limit_run(Max(group->last ? left : left / 2, RUN_MIN_MS), update_rows, group);
}

static void
note_write(BiResult *row, const ErrorData *error)
{
	bool		waits = bi_blame_write_waits(error->sqlerrcode) && !row->overdue;

	row->write_state = waits ? BI_WRITE_WAITING : BI_WRITE_FAILED;
	row->write_error = error->detail ? psprintf("%s (%s)", error->message, error->detail) : pstrdup(error->message);
}

static ErrorData *
try_write(Group *group)
{
	return bi_remains_try(write_rows, group, group->step->cxt);
}

/* Row by row: each on its own. */
static void
write_each(Group *group)
{
	BiResult  **rows = group->rows;
	int			n = group->nrows;
	int			locked = 0;

	group->nrows = 1;
	for (int i = 0; i < n; i++)
	{
		ErrorData  *error;

		group->rows = &rows[i];
		group->last = i == n - 1;
		group->lock_ms = n == 1 ? GROUP_LOCK_MS : locked < LOCKED_ENOUGH ? ROW_LOCK_MS : NO_WAIT_MS;
		error = try_write(group);
		if (error == NULL)
			continue;
		note_write(rows[i], error);
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			locked++;
	}
}

static void
write_group(Group *group)
{
	group->lock_ms = GROUP_LOCK_MS;
	group->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), bi_guc_write_timeout);
	if (group->nrows == 1 || (group->nrows > 1 && try_write(group) != NULL))
		write_each(group);
}

static void
open_writeback(void *arg)
{
	Group	   *group = arg;
	MemoryContext old = MemoryContextSwitchTo(group->step->deliver->group_cxt);

	group->wb = bi_writeback_open(group->step->job);
	MemoryContextSwitchTo(old);
}

/* Opens the target, or notes why it cannot be had. */
static void
open_target(Group *group)
{
	if (OidIsValid(group->step->job->target) && group->error == NULL)
		group->error = bi_xact_try(open_writeback, group);
}

static bool
wants_write(const BiResult *result)
{
	return result->known && !result->delivered && result->outcome == BI_SUCCEEDED && result->write_error == NULL;
}

/* One output, whose values are to be found. */
typedef struct Find
{
	const Group *group;
	BiResult   *result;
	BiFit		fit;
	char	   *why;
	char	   *exceeded;		/* the budget */
} Find;

static void
find_values(void *arg)
{
	Find	   *find = arg;

	find->fit = bi_writeback_find(find->group->wb, find->group->step->deliver->group_cxt, find->result, &find->why);
}

static void
find_phase(void *arg)
{
	Find	   *find = arg;
	BiDeliver  *d = find->group->step->deliver;
	MemoryContext old = MemoryContextSwitchTo(d->line_cxt);
	char	   *exceeded = bi_budget_run(BI_BUDGET_PATHS_MS, find_values, find);

	if (exceeded)
		find->exceeded = MemoryContextStrdup(d->group_cxt, exceeded);
	MemoryContextSwitchTo(old);
	/* What was cancelled may hold more than memory: the subtransaction lets go of it. */
	if (exceeded)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the write-back of an output takes %s", exceeded)));
}

/* What does not fit is no success; a repeated write only fails, for its outcome stands. */
static void
refuse_output(const Group *group, BiResult *result, const char *code, char *why)
{
	if (!group->again)
	{
		bi_answer_invalid(result, code, why);
		return;
	}
	result->write_state = BI_WRITE_FAILED;
	result->write_error = why;
}

static void
find_output(const Group *group, BiResult *result)
{
	Find		find = {.group = group, .result = result};
	ErrorData  *error = bi_xact_try(find_phase, &find);

	MemoryContextReset(group->step->deliver->line_cxt);
	if (find.exceeded)
		refuse_output(group, result, "too_costly", psprintf("putting the output into its columns takes %s", find.exceeded));
	else if (error)
		note_write(result, error);
	else if (find.fit != BI_FITS)
		refuse_output(group, result, find.fit == BI_NOT_JSON ? "not_json" : "too_costly", find.why);
}

/* Finds what is to be written, until the slice of time is used up: the group ends there. */
static void
find_outputs(Group *group)
{
	for (int i = 0; i < group->n; i++)
	{
		BiResult   *result = &group->results[i];

		if (i > 0 && bi_answer_slice_over(group->step->deliver))
			group->n = i;
		else if (wants_write(result) && bi_writeback_must_find(group->wb, result))
			find_output(group, result);
	}
}

static void
write_back(Group *group)
{
	if (!OidIsValid(group->step->job->target))
		return;
	group->rows = palloc(sizeof(BiResult *) * group->n);
	group->nrows = 0;
	if (group->error == NULL)
		find_outputs(group);
	for (int i = 0; i < group->n; i++)
		if (wants_write(&group->results[i]))
			group->rows[group->nrows++] = &group->results[i];
	if (group->error == NULL)
		write_group(group);
	else
		for (int i = 0; i < group->nrows; i++)
			note_write(group->rows[i], group->error);
}

static void
deliver_phase(void *arg)
{
	Group	   *group = arg;
	BiStep	   *step = group->step;
	MemoryContext old = MemoryContextSwitchTo(step->deliver->group_cxt);

	bi_result_lookup(CurrentMemoryContext, step->chunk, group->results, group->n);
	open_target(group);
	write_back(group);
	for (int i = 0; i < group->n; i++)
		if (!group->results[i].known)
			step->deliver->unknown++;
	bi_result_insert(step->chunk, group->results, group->n);
	bi_rate_judge(step->job, step->chunk);
	BI_CRASH_POINT(bi_state_name(step->chunk->state), "group");
	MemoryContextSwitchTo(old);
}

static ErrorData *
deliver_one(BiStep *step, BiResult *result, const ErrorData *no_write)
{
	Group		group = {.step = step, .results = result, .n = 1, .error = no_write};

	return bi_xact_run(step->mode, deliver_phase, &group);
}

/* The record waits: the chunk fetches its results again, see settle in deliver.c. */
static void
put_off(BiStep *step, const ErrorData *error)
{
	BiDeliver  *d = step->deliver;

	d->unsaved++;
	if (d->unsaved_why == NULL)
		d->unsaved_why = MemoryContextStrdup(step->cxt, error->message);
	bi_fault_kept(step->process_faults, error);
}

/* True if an answer that cannot be saved for this reason ends as what can be kept of it. */
static bool
is_final(const BiStep *step, const ErrorData *error)
{
	BiBlame		blame = bi_blame(error->sqlerrcode);

	return blame == BI_BLAME_VALUE || (blame == BI_BLAME_UNCLEAR && step->deliver->overdue);
}

/* Saves the beginning of an output that cannot be saved in whole; if that fails too, nothing of
 * it but the reason.  Returns the error if even that cannot be saved. */
static ErrorData *
keep_some(BiStep *step, BiResult *result, const ErrorData *why)
{
	BiResult	some = *result;
	ErrorData  *error;
	size_t		len;

	bi_answer_invalid(&some, "not_storable", why->message);
	some.output_json = false;
	if (some.output)
		some.output = bi_utf8_repair(some.output, strlen(some.output), BI_ANSWER_RAW_MAX, &len);
	*result = some;
	error = deliver_one(step, result, why);
	if (error == NULL || !is_final(step, error))
		return error;
	*result = some;
	result->output = result->finish_reason = result->model = result->request_id = NULL;
	return deliver_one(step, result, why);
}

/*
 * Something in the group broke its transaction.  Saves a record on its own, and if that breaks
 * too, without its write.  If it cannot be saved either, the record itself is at fault and what
 * can be kept of it is, or it waits.
 */
static void
deliver_alone(BiStep *step, BiResult *result)
{
	BiResult	kept = *result;
	ErrorData  *error = deliver_one(step, result, NULL);

	if (error == NULL)
		return;
	*result = kept;
	error = deliver_one(step, result, error);
	if (error == NULL)
		return;
	*result = kept;
	if (is_final(step, error))
		error = keep_some(step, result, error);
	if (error)
		put_off(step, error);
}

int
bi_apply_group(BiStep *step, BiResult *results, int n)
{
	BiResult   *kept = palloc(sizeof(BiResult) * n);
	Group		group = {.step = step, .results = results, .n = n};
	int64		unknown = step->deliver->unknown;
	int			applied = 0;

	memcpy(kept, results, sizeof(BiResult) * n);
	if (bi_xact_run(step->mode, deliver_phase, &group) == NULL)
		return group.n;
	step->deliver->unknown = unknown;
	memcpy(results, kept, sizeof(BiResult) * n);
	do
		deliver_alone(step, &results[applied++]);
	while (applied < n && !bi_answer_slice_over(step->deliver));
	return applied;
}

/* Waiting writes */

/* While some are written it goes on at once; else later and later. */
static int64
rewrite_delay(const Group *group)
{
	for (int i = 0; i < group->n; i++)
		if (strcmp(group->results[i].write_state, BI_WRITE_WAITING) != 0)
			return 0;
	return bi_backoff_ms(1000, 2, 60000, group->step->chunk->write_tries, pg_prng_double(&pg_global_prng_state));
}

static void
rewrite_phase(void *arg)
{
	Group	   *group = arg;
	BiStep	   *step = group->step;
	MemoryContext old = MemoryContextSwitchTo(step->deliver->group_cxt);

	group->n = bi_result_waiting(CurrentMemoryContext, step->chunk, group->results, group->n);
	open_target(group);
	write_back(group);
	bi_result_rewritten(step->chunk, group->results, group->n, rewrite_delay(group));
	bi_rate_judge(step->job, step->chunk);
	bi_job_finish_due();
	BI_CRASH_POINT(bi_state_name(step->chunk->state), "rewrite");
	MemoryContextSwitchTo(old);
}

/* As many as n. */
static ErrorData *
rewrite(BiStep *step, BiResult *results, int n, const ErrorData *no_write)
{
	Group		group = {.step = step, .results = results, .n = n, .again = true, .error = no_write};

	return bi_xact_run(step->mode, rewrite_phase, &group);
}

ErrorData *
bi_apply_again(BiStep *step, BiResult *results)
{
	/* Rows that need much time are not written in company: alone now and then. */
	int			n = step->chunk->write_tries % 2 == 0 ? BI_ANSWER_GROUP : 1;
	ErrorData  *error = rewrite(step, results, n, NULL);

	/* What broke the transaction is met again alone: the order is the same. */
	if (error && rewrite(step, results, 1, NULL) == NULL)
		return NULL;
	return error ? rewrite(step, results, 1, error) : NULL;
}
