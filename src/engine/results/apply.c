/*
 * engine/results/apply.c: puts a group of results into the tables and into target rows.
 *
 * What comes in is a group of accepted answers, each with the seq of its record: from the
 * results files of a batch (reader.c), and in the same way from any other source of answers.
 *
 * One group is one transaction, in this order:
 *
 * 1. bi_result_lookup finds the records.  Answers of other records are counted as unknown;
 *    answers that are in the tables already change nothing, so a group may come twice.
 * 2. bi_write_results writes the outputs to the target rows (write.c).
 * 3. bi_charge_results finds what they cost (charge.c).
 * 4. bi_result_insert inserts the results, adds outcomes, tokens, money and writes to the chunk's
 *    counts, and inserts into the ledger, in one statement.
 * 5. bi_rate_judge pauses the job if most of its answers fail (max_failure_rate).
 *
 * So a result and its row are written together or not at all (promise 2), and a crash at any
 * point is repaired by delivering the same group again.
 *
 * Finding the values of outputs may take long, and so may writing them: code of the owner runs
 * there.  When the time of this piece of work has been used up the group is cut there, what is done
 * is committed, and the rest is the next piece's.
 *
 * On an error the transaction is rolled back, and each result gets a transaction of its own,
 * until one of these succeeds:
 *
 *   - with its write;
 *   - without its write, which then gets the error: code of the target's owner may break a
 *     transaction in ways that no subtransaction undoes;
 *   - if the error is the value's own fault (blame.c), with the first 64 kB of the output, as
 *     outcome invalid_output;
 *   - in that case too, with nothing of the output except the reason.
 *
 * If none does, the answer is "unsaved": the disk is full, say.  It has been paid for, so it is
 * never dropped.  The chunk goes back to "fetching", the provider's files stay, and the answer
 * is delivered again later (deliver.c).  After batchinf.write_give_up an error that may be the
 * value's fault, or the server's, counts as the value's.
 *
 * Waiting writes (rows that were locked, and the like) are repeated by bi_apply_again from the
 * stored outputs.  The same steps without 1 and 3: the outcome stands, only the write state
 * changes.
 *
 * Why one by one, and not by halves?  Errors that break a group are rare, and mostly of one row.
 */
#include "postgres.h"

#include <time.h>

#include "base/backoff.h"
#include "base/crash.h"
#include "base/guc.h"
#include "base/utf8.h"
#include "common/pg_prng.h"
#include "engine/results/accept.h"
#include "engine/results/apply.h"
#include "engine/results/blame.h"
#include "engine/results/charge.h"
#include "engine/results/limit.h"
#include "engine/results/swap.h"
#include "engine/results/write.h"
#include "provider/answer.h"
#include "store/written.h"
#include "store/pipeline.h"
#include "store/rate.h"
#include "utils/memutils.h"

/* How long a commit may take for which postgres_fdw waits. */
#define COMMIT_MS 3000

/* One group in its transaction. */
typedef struct Group
{
	BiApply    *apply;
	BiWriteTask task;			/* its results, and how many of them are done */
} Group;

static Group
new_group(BiApply *apply, BiResult *results, int n, const ErrorData *no_write)
{
	Group		group = {
		.apply = apply,
		.task = {
			.step = apply->step, .space = apply->space, .results = results, .n = n,
			.error = no_write
		}
	};

	return group;
}

/* Raises an error unless all results are recorded, if their writes may have added rows: these would
 * be added again. */
static void
require_all(const BiStep *step, bool recorded)
{
	if (!recorded && bi_spec_adds(&step->job->spec))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("results of chunk " INT64_FORMAT " have changed meanwhile",
						step->chunk->id)));
}

/* Limits the commit, if it may have to wait for code of the target's owner. */
static void
limit_commit(const BiStep *step)
{
	if (OidIsValid(step->job->target))
		bi_limit_start_commit(Min(COMMIT_MS, bi_guc_write_timeout));
}

static void
deliver_phase(void *arg)
{
	Group	   *group = arg;
	BiWriteTask *task = &group->task;
	BiStep	   *step = task->step;
	MemoryContext old = MemoryContextSwitchTo(task->space->group_cxt);

	bi_result_lookup(CurrentMemoryContext, step->chunk, task->results, task->n);
	bi_write_results(task);
	BI_CRASH_POINT(bi_state_name(step->chunk->state), "rows");
	for (int i = 0; i < task->n; i++)
		if (!task->results[i].known)
			group->apply->unknown++;
	bi_charge_results(&group->apply->tariffs, task->results, task->n);
	require_all(step, bi_result_insert(step->chunk, task->results, task->n));
	bi_written_store(step->job, task->results, task->n);
	bi_pipeline_answer(step->job, task->results, task->n);
	bi_rate_judge(step->job, step->chunk);
	BI_CRASH_POINT(bi_state_name(step->chunk->state), "group");
	MemoryContextSwitchTo(old);
	limit_commit(step);
}

/* Runs a group's phase in its transaction.  Returns its error, as bi_xact_run. */
static ErrorData *
run_group(Group *group, BiPhase phase)
{
	ErrorData  *error = bi_xact_finish(group->apply->step->mode, phase, group);

	error = bi_limit_end_commit(error);
	if (error && bi_xact_is_cancel(error))
		ReThrowError(error);
	return error;
}

/* no_write: NULL, or the error that the write gets instead of being tried. */
static ErrorData *
deliver_one(BiApply *apply, BiResult *result, const ErrorData *no_write)
{
	Group		group = new_group(apply, result, 1, no_write);

	return run_group(&group, deliver_phase);
}

/* Counts an answer that waits to be fetched again. */
static void
put_off(BiApply *apply, const ErrorData *error)
{
	apply->unsaved++;
	if (apply->unsaved_why == NULL)
		apply->unsaved_why = MemoryContextStrdup(apply->step->cxt, error->message);
	bi_fault_kept(apply->step->process_faults, error);
}

/* True if an answer that cannot be saved for this reason ends as what can be kept of it. */
static bool
is_final(const BiApply *apply, const ErrorData *error)
{
	BiBlame		blame = bi_blame(error->sqlerrcode);

	return blame == BI_BLAME_VALUE || (blame == BI_BLAME_UNCLEAR && apply->is_overdue);
}

/* Saves the beginning of an output that cannot be saved whole; if that fails too, nothing of it
 * but the reason.  Returns the error if even that cannot be saved. */
static ErrorData *
keep_some(BiApply *apply, BiResult *result, const ErrorData *why)
{
	BiResult	some = *result;
	BiAnswer   *answer = &some.answer;
	ErrorData  *error;

	bi_answer_invalid(answer, "not_storable", why->message);
	answer->output_is_json = false;
	if (answer->output)
		answer->output = bi_utf8_repair(answer->output, strlen(answer->output), BI_ACCEPT_CUT,
										&answer->output_len);
	*result = some;
	error = deliver_one(apply, result, why);
	if (error == NULL || !is_final(apply, error))
		return error;
	answer->output = answer->finish_reason = answer->model = answer->request_id = NULL;
	*result = some;
	return deliver_one(apply, result, why);
}

/* Saves a result whose group has failed: see the head of this file. */
static void
deliver_alone(BiApply *apply, BiResult *result)
{
	BiResult	kept = *result;
	ErrorData  *error = deliver_one(apply, result, NULL);

	if (error == NULL)
		return;
	*result = kept;
	error = deliver_one(apply, result, error);
	if (error == NULL)
		return;
	*result = kept;
	if (is_final(apply, error))
		error = keep_some(apply, result, error);
	if (error)
		put_off(apply, error);
}

int
bi_apply_group(BiApply *apply, BiResult *results, int n)
{
	BiResult   *kept = palloc(sizeof(BiResult) * n);
	Group		group = new_group(apply, results, Min(n, apply->step->share.rows), NULL);
	int64		unknown = apply->unknown;
	int			applied = 0;

	memcpy(kept, results, sizeof(BiResult) * n);
	if (run_group(&group, deliver_phase) == NULL)
		return group.task.n;
	apply->unknown = unknown;
	memcpy(results, kept, sizeof(BiResult) * n);
	do
		deliver_alone(apply, &results[applied++]);
	while (applied < n && !bi_workspace_is_over(apply->space));
	return applied;
}

/* Waiting writes */

static int64
backoff(const BiChunk *chunk)
{
	return bi_backoff_ms(1000, 2, 60000, chunk->write_tries,
						 pg_prng_double(&pg_global_prng_state));
}

/* Returns when waiting writes are repeated next: at once while some are written, else later
 * and later. */
static int64
rewrite_delay(const BiWriteTask *task)
{
	for (int i = 0; i < task->n; i++)
		if (task->results[i].write_state != BI_WRITE_WAITING)
			return 0;
	return backoff(task->step->chunk);
}

/* Ends the transaction of repeated writes, whose states and next time are stored. */
static void
end_rewrite(const BiStep *step)
{
	bi_rate_judge(step->job, step->chunk);
	(void) bi_job_finish(&step->chunk->job_id, 1);
	BI_CRASH_POINT(bi_state_name(step->chunk->state), "rewrite");
	limit_commit(step);
}

static void
rewrite_phase(void *arg)
{
	Group	   *group = arg;
	BiWriteTask *task = &group->task;
	BiChunk    *chunk = task->step->chunk;
	MemoryContext old = MemoryContextSwitchTo(task->space->group_cxt);

	task->n = bi_result_waiting(CurrentMemoryContext, chunk, task->results, task->n);
	bi_write_results(task);
	require_all(task->step,
				bi_result_rewritten(chunk, task->results, task->n, rewrite_delay(task)));
	bi_written_store(task->step->job, task->results, task->n);
	bi_pipeline_answer(task->step->job, task->results, task->n);
	end_rewrite(task->step);
	MemoryContextSwitchTo(old);
}

/* The same where the rows of a value are replaced together. */
static void
swap_phase(void *arg)
{
	Group	   *group = arg;
	BiWriteTask *task = &group->task;
	BiChunk    *chunk = task->step->chunk;
	MemoryContext old = MemoryContextSwitchTo(task->space->group_cxt);
	bool		settled = bi_swap_write(task->step, task->space, task->results);

	(void) bi_result_rewritten(chunk, NULL, 0, settled ? 0 : backoff(chunk));
	end_rewrite(task->step);
	MemoryContextSwitchTo(old);
}

/* Repeats at most n writes. */
static ErrorData *
rewrite(BiApply *apply, BiResult *results, int n, const ErrorData *no_write)
{
	Group		group = new_group(apply, results, n, no_write);

	group.task.repeated = true;
	return run_group(&group, rewrite_phase);
}

ErrorData *
bi_apply_again(BiApply *apply, BiResult *results)
{
	/* Each row of a group has a share of the time only.  So every second time one row is
	 * written alone, for rows that need much of it. */
	int			n = apply->step->chunk->write_tries % 2 == 0
		? Min(BI_WORKSPACE_GROUP, apply->step->share.rows) : 1;
	Group		group = new_group(apply, results, 0, NULL);
	ErrorData  *error;

	if (apply->step->job->spec.write_mode == BI_WRITE_MODE_REPLACE)
		return run_group(&group, swap_phase);
	error = rewrite(apply, results, n, NULL);

	/* The order is the same, so the row that broke the transaction is met again, alone. */
	if (error && rewrite(apply, results, 1, NULL) == NULL)
		return NULL;
	return error ? rewrite(apply, results, 1, error) : NULL;
}

bool
bi_apply_note_unsaved(BiApply *apply)
{
	BiBatch    *batch = apply->step->chunk->batch;

	if (bi_ref_get(batch->refs, BI_APPLY_UNSAVED))
		return false;
	batch->refs = bi_ref_set(batch->refs, BI_APPLY_UNSAVED,
							 psprintf(INT64_FORMAT, (int64) time(NULL)));
	return true;
}

char *
bi_apply_unsaved(const BiApply *apply)
{
	return psprintf("could not save " INT64_FORMAT " answers: %s", apply->unsaved,
					apply->unsaved_why);
}
