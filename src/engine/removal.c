/*
 * engine/removal.c: removes texts of ended jobs that are kept no longer, and sums up old rows of
 * the ledger, a piece at a time.
 *
 * The loop calls it in each turn, and it does something when nothing else is to be done: no job
 * waits longer for it than for one piece.  Work that never ends would put it off for ever, so that
 * a piece is removed once a minute even so.
 */
#include "postgres.h"

#include "base/crash.h"
#include "engine/removal.h"
#include "store/keep.h"
#include "store/rollup.h"
#include "utils/timestamp.h"

/* When all jobs that are due are locked, and after an error of another session. */
#define LOCKED_MS 1000

/* After a failure. */
#define AGAIN_MS 60000

/* While work is under way, the tables are asked this often when the next piece is due. */
#define ASK_MS 1000

/* However much there is to do, a piece is removed this often. */
#define BUSY_MS 60000

/* One piece. */
typedef struct Piece
{
	BiKeepDone	done;
	TimestampTz next;			/* if nothing is due: when something will be */
} Piece;

void
bi_removal_init(BiRemoval *removal)
{
	*removal = (BiRemoval) {.next = DT_NOEND, .removed_at = GetCurrentTimestamp()};
}

void
bi_removal_look(BiRemoval *removal, bool is_idle)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!is_idle && !TimestampDifferenceExceeds(removal->asked_at, now, ASK_MS))
		return;
	removal->asked_at = now;
	removal->next = Max(Min(bi_keep_next(), bi_rollup_next()), removal->not_before);
}

static void
piece_phase(void *arg)
{
	Piece	   *piece = arg;

	piece->done = bi_keep_remove();
	if (piece->done != BI_KEEP_REMOVED && bi_rollup_piece())
		piece->done = BI_KEEP_REMOVED;
	if (piece->done == BI_KEEP_NOTHING)
		piece->next = Min(bi_keep_next(), bi_rollup_next());
	BI_CRASH_POINT("removal", "piece");
}

/* Waits for so long. */
static void
put_off(BiRemoval *removal, int ms)
{
	removal->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
	removal->next = removal->not_before;
}

static void
report(const ErrorData *error)
{
	static bool reported = false;

	if (error && !reported)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not remove texts of ended batch jobs: %s", error->message),
				 errdetail("It is tried again while batch jobs are worked on.")));
	reported = error != NULL;
}

void
bi_removal_turn(BiRemoval *removal, BiXactMode mode, bool busy)
{
	Piece		piece = {BI_KEEP_NOTHING, DT_NOEND};
	TimestampTz now = GetCurrentTimestamp();
	ErrorData  *error;

	if (removal->next > now ||
		(busy && !TimestampDifferenceExceeds(removal->removed_at, now, BUSY_MS)))
		return;
	error = bi_xact_run(mode, piece_phase, &piece);
	removal->removed_at = GetCurrentTimestamp();
	if (piece.done == BI_KEEP_BUSY || (error && bi_xact_is_for_now(error)))
		put_off(removal, LOCKED_MS);
	else if (error)
		put_off(removal, AGAIN_MS);
	else
		removal->next = piece.done == BI_KEEP_REMOVED ? removal->removed_at : piece.next;
	if (error == NULL || !bi_xact_is_for_now(error))
		report(error);
	BI_CRASH_POINT("removal", "removed");
}
