/*
 * engine/results/writing.c: one try to write rows of the target, within the limits that code of the
 * target's owner has.
 *
 * A try is a subtransaction: an error undoes it, and nothing else.  limit.c bounds its time,
 * remains.c drops what the owner's code leaves in the process.
 */
#include "postgres.h"

#include "engine/remains.h"
#include "engine/results/blame.h"
#include "engine/results/limit.h"
#include "engine/results/writing.h"
#include "utils/timestamp.h"

/* However little time is left, a row that needs no more than this is written. */
#define RUN_MIN_MS 5

/* However little of its share a piece of work has left, code of the owner has this much time. */
#define SHARE_MIN_MS 100

/* The error of a row that must let others go on. */
#define CUT "canceling write-back to let others work; it is repeated with more time"

/* One part in this many of the time is kept for rows behind those that have used up the rest. */
#define KEPT_PART 6

static int64
ms_until(TimestampTz when)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when);
}

void
bi_writing_begin(BiWriting *writing)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = Max(writing->task->step->share.until,
							TimestampTzPlusMilliseconds(now, SHARE_MIN_MS));

	writing->until = until;
	writing->fair_until = until - (until - now) / KEPT_PART;
}

static void
write_rows(void *arg)
{
	BiWriting  *writing = arg;

	writing->write(writing);
}

static void
limited_write(void *arg)
{
	BiWriting  *writing = arg;
	int64		ms = writing->is_last
		? ms_until(writing->until) : ms_until(writing->fair_until) / 2;
	const BiStepShare *share = &writing->task->step->share;
	BiLimit		limit = {
		.ms = Max(ms, RUN_MIN_MS),
		.wanted_ms = Max(ms_until(share->wanted_until), RUN_MIN_MS),
		.is_wanted = share->is_wanted,
		.message = share->is_cut ? CUT : "canceling write-back due to batchinf.write_timeout",
		.wanted_message = CUT,
	};

	bi_limit_run(&limit, write_rows, writing);
}

ErrorData *
bi_writing_try(BiWriting *writing)
{
	BiStepShare *share = &writing->task->step->share;
	TimestampTz since = GetCurrentTimestamp();
	ErrorData  *error = bi_remains_try(limited_write, writing, writing->task->step->cxt);

	if (error == NULL)
	{
		share->written += writing->nrows;
		share->written_us += GetCurrentTimestamp() - since;
	}
	return error;
}

void
bi_writing_note(BiResult *row, const ErrorData *error)
{
	bool		waits = bi_blame_write_waits(error->sqlerrcode) && !row->overdue;

	row->write_state = waits ? BI_WRITE_WAITING : BI_WRITE_FAILED;
	row->write_error = error->detail
		? psprintf("%s (%s)", error->message, error->detail) : pstrdup(error->message);
}

bool
bi_writing_is_over(const BiWriting *writing, bool passed)
{
	const BiStepShare *share = &writing->task->step->share;

	if (share->is_wanted && ms_until(share->wanted_until) == 0 && share->is_wanted())
		return true;
	return ms_until(passed ? writing->until : writing->fair_until) == 0;
}
