/*
 * engine/results/copies.c: the answers of copies, which come from our own tables.
 *
 * A chunk of copies is never sent.  Its life:
 *
 *     planned (waits for its sources) → delivering → done
 *                   ^                        |
 *                   `── some have no final ──'     what has lost its source: a new chunk, planned
 *                       results yet
 *
 * - planned: while the chunk that has its sources is not settled, it waits.  The save that settles
 *   that chunk wakes it; a look every few seconds finds what was missed.
 * - delivering: all answers that are there are read, accepted and applied, group by group, by the
 *   same functions as those of a results file (deliver.c).  So write-back, counts and crash safety
 *   are the same.  A copy that has a result is passed over, so a crash at any point costs nothing.
 * - Then it ends, or waits for the chunk that has the next source: sources that were sent again are
 *   in another one.
 *
 * A source that has failed gives its failure to its repeats: they are not sent by themselves.
 * An answer of an earlier job may be gone by now: its job was deleted, or is kept no longer.
 * That copy is sent after all, in a new chunk.
 *
 * Cancel and deadline end a chunk of copies as one that is planned (claim.c).
 */
#include "postgres.h"

#include "base/crash.h"
#include "engine/results/copies.h"
#include "store/copy.h"

void
bi_copies_claim(BiStep *step, BiStepWork start)
{
	if (bi_copy_must_wait(step->chunk))
	{
		step->chunk->state = BI_CHUNK_PLANNED;
		bi_step_wait(step, BI_WAIT_SOURCE, BI_CHUNK_COPIES_WAIT, BI_CHUNK_COPIES_MS);
		return;
	}
	step->move = BI_MOVE_COPY;
	bi_step_claim(step, BI_CHUNK_DELIVERING, start);
}

BiCopyReader *
bi_copies_begin(BiStep *step, BiWorkspace *space, const BiAccept *accept)
{
	BiCopyReader *reader = MemoryContextAllocZero(step->cxt, sizeof(BiCopyReader));

	reader->step = step;
	reader->space = space;
	reader->accept = accept;
	return reader;
}

/* Reading */

/* A read under way. */
typedef struct Read
{
	BiCopyReader *reader;
	BiResult   *results;
	int			n;
} Read;

static void
read_phase(void *arg)
{
	Read	   *read = arg;
	BiCopyReader *reader = read->reader;

	read->n = bi_copy_read(reader->space->group_cxt, reader->step->chunk, reader->seq,
						   BI_WORKSPACE_GROUP, BI_WORKSPACE_GROUP_BYTES, read->results);
}

int
bi_copies_read(BiCopyReader *reader, BiResult *results)
{
	Read		read = {reader, results};
	ErrorData  *error = bi_xact_run(reader->step->mode, read_phase, &read);
	int			accepted = 0;

	if (error)
		ReThrowError(error);
	reader->is_at_end = read.n == 0;
	/* What the slice has no time for is read again. */
	while (accepted < read.n && (accepted == 0 || !bi_workspace_is_over(reader->space)))
	{
		bi_accept_answer(reader->accept, &results[accepted].answer, false);
		reader->seq = results[accepted++].seq;
	}
	reader->taken += accepted;
	return accepted;
}

/* The end */

/* What is left of a chunk. */
typedef struct Left
{
	BiStep	   *step;
	BiCopyLeft	left;
} Left;

static void
left_phase(void *arg)
{
	Left	   *left = arg;

	left->left = bi_copy_left(left->step->chunk);
}

/* Some answers could not be saved, for a reason that is not theirs: the same again later. */
static void
try_again(BiStep *step, BiApply *apply)
{
	BiStepSave *save = bi_step_begin_save(step);

	bi_batch_begin(step->chunk->batch);
	(void) bi_apply_note_unsaved(apply);
	step->chunk->state = BI_CHUNK_PLANNED;
	save->delay_ms = BI_STEP_AGAIN_MS;
	save->wait = (BiWait) {BI_WAIT_ERROR, bi_apply_unsaved(apply)};
	bi_step_save(step, NULL);
}

static void
save_waiting(BiStep *step, void *arg)
{
	bi_copy_wait(step->chunk);
}

static void
save_lost(BiStep *step, void *arg)
{
	bi_copy_send(step->chunk);
}

static void
save_done(BiStep *step, void *arg)
{
	(void) bi_job_finish(&step->chunk->job_id, 1);
}

/* Repeats whose sources have no final results yet.  A source that got one during this pass is
 * looked for at once. */
static void
wait_for_source(BiStep *step, const BiCopyReader *reader)
{
	BiStepSave *save = bi_step_begin_save(step);

	step->chunk->state = BI_CHUNK_PLANNED;
	save->delay_ms = reader->taken > 0 ? 0 : BI_CHUNK_COPIES_MS;
	save->wait = (BiWait) {BI_WAIT_SOURCE, BI_CHUNK_COPIES_WAIT};
	save->on_save = save_waiting;
	bi_step_save(step, NULL);
}

void
bi_copies_settle(BiStep *step, const BiCopyReader *reader, BiApply *apply)
{
	Left		left = {step};
	ErrorData  *error;
	BiStepSave *save;

	if (apply->unsaved > 0)
	{
		try_again(step, apply);
		return;
	}
	error = bi_xact_run(step->mode, left_phase, &left);
	if (error)
		ReThrowError(error);
	BI_CRASH_POINT("copies", "applied");
	if (left.left == BI_COPY_LEFT_WAITING)
	{
		wait_for_source(step, reader);
		return;
	}
	save = bi_step_begin_save(step);
	/* Repeats beside those that have lost their source may still wait. */
	step->chunk->state = BI_CHUNK_DONE;
	if (left.left == BI_COPY_LEFT_LOST && step->chunk->copies == BI_COPIES_REPEAT)
	{
		step->chunk->state = BI_CHUNK_PLANNED;
		save->wait = (BiWait) {BI_WAIT_SOURCE, BI_CHUNK_COPIES_WAIT};
	}
	save->on_save = left.left == BI_COPY_LEFT_LOST ? save_lost : save_done;
	save->event = "delivered";
	if (left.left == BI_COPY_LEFT_LOST)
		save->detail = "the answers of some records are gone, so they are sent";
	bi_step_save(step, NULL);
}
