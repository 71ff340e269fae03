/*
 * engine/watch.c: are the exchanges that take long still wanted?
 *
 * A transfer has no limit on its time, so a provider can make it last: bytes that drip, a
 * body without end.  Meanwhile the job may be cancelled or past its deadline, or the server
 * dropped.  So once a second, while an exchange has been under way for a second or more, one
 * statement reads what the owners wish, and the catalog caches say who may still use what.
 * Where no exchange takes that long nothing is asked, and no transaction begins.
 *
 * What happens to an exchange that is not wanted any more:
 *
 * - Server, mapping or USAGE are gone: it ends at once.  The chunk waits as the claim says
 *   that finds them missing; results stay at the provider.
 * - The job was cancelled or is late: it ends at once, unless it is a download of results.
 *   Those are paid for: the download goes on while it moves, for batchinf.stall_timeout at
 *   most.  Then the lines that have come are delivered (follow.c).
 * - The create call is never simply cut off: its reply has batchinf.stall_timeout to come.
 *   After that its fate is unknown, and the batch is looked for (promise 1).
 * - What a cancelled job does to end (cancel call, clean-up, results when they are asked for
 *   after the cancel) is wanted; of these only a download that drips is ended.
 */
#include "postgres.h"

#include "base/guc.h"
#include "engine/watch.h"
#include "store/server.h"
#include "utils/timestamp.h"

/* How long an exchange runs unobserved, and between two looks. */
#define WATCH_MS 1000

/* A download that moves less than this between two looks drips. */
#define DRIP_BYTES (64 * 1024)

typedef struct Watch
{
	int			n;
	BiStep	  **steps;
	BiWish	   *wishes;
	const char **lost;			/* why it may not be used any more, or NULL */
} Watch;

static bool
is_long(const BiStep *step, TimestampTz now)
{
	return step->reply != NULL && step->server != NULL && TimestampDifferenceExceeds(step->sent_at, now, WATCH_MS);
}

static void
watch_phase(void *arg)
{
	Watch	   *watch = arg;
	int64	   *ids = palloc(sizeof(int64) * watch->n);

	for (int i = 0; i < watch->n; i++)
	{
		const BiStep *step = watch->steps[i];

		ids[i] = step->chunk->id;
		watch->lost[i] = bi_server_lost(step->job->server, step->server->mapping, step->job->owner);
	}
	bi_chunk_wishes(ids, watch->wishes, watch->n);
}

static bool
is_download(const BiStep *step)
{
	return step->record.from == BI_FETCHING && step->ex->download != NULL;
}

/* Does the wish make this exchange pointless? */
static bool
is_against_wish(const BiStep *step, BiWish wish)
{
	if (wish == BI_WISH_NONE)
		return false;
	if (is_download(step))
		return true;
	/* What was begun in knowledge of the wish fulfils it. */
	return step->wish == BI_WISH_NONE && step->record.from != BI_FETCHING &&
		step->record.from != BI_CANCELLING && step->record.from != BI_CLEANING;
}

/* May it go on for a while, though it is not wanted? */
static bool
has_grace(const BiStep *step, bool lost, int64 moved, TimestampTz now)
{
	bool		may = step->record.from == BI_CREATING || (!lost && is_download(step) && moved >= DRIP_BYTES);

	return may && !TimestampDifferenceExceeds(step->unwanted_at, now, bi_guc_stall_timeout);
}

static void
judge(BiHttp *http, BiStep *step, BiWish wish, const char *lost, TimestampTz now)
{
	int64		moved = step->ex->moved - step->moved;
	const char *wished = wish == BI_WISH_CANCEL ? "the job was cancelled" : "the job's deadline has passed";

	step->moved = step->ex->moved;
	if (lost == NULL && !is_against_wish(step, wish))
		return;
	if (step->unwanted_at == 0)
		step->unwanted_at = now;
	if (has_grace(step, lost != NULL, moved, now))
		return;
	if (lost == NULL)
		step->wish = wish;
	bi_http_stop(http, step->ex, psprintf("%s while the exchange was under way", lost ? lost : wished));
}

static void
watch_steps(BiXactMode mode, BiHttp *http, Watch *watch, TimestampTz now)
{
	ErrorData  *error = bi_xact_run(mode, watch_phase, watch);

	if (error)
	{
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not see whether exchanges of batch jobs are still wanted: %s", error->message)));
		return;
	}
	for (int i = 0; i < watch->n; i++)
		judge(http, watch->steps[i], watch->wishes[i], watch->lost[i], now);
}

void
bi_watch(BiXactMode mode, BiHttp *http, List *steps, TimestampTz *watched_at)
{
	TimestampTz now = GetCurrentTimestamp();
	int			size = list_length(steps);
	Watch		watch = {0};
	ListCell   *cell;

	if (size == 0 || !TimestampDifferenceExceeds(*watched_at, now, WATCH_MS))
		return;
	watch.steps = palloc(sizeof(BiStep *) * size);
	watch.wishes = palloc0(sizeof(BiWish) * size);
	watch.lost = palloc0(sizeof(char *) * size);
	foreach(cell, steps)
		if (is_long(lfirst(cell), now))
			watch.steps[watch.n++] = lfirst(cell);
	if (watch.n == 0)
		return;
	*watched_at = now;
	watch_steps(mode, http, &watch, now);
}
