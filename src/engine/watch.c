/*
 * engine/watch.c: ends exchanges that take long and that nobody wants any more.
 *
 * A large body may take hours, and a reply a minute (base/slow.c ends what is too slow).  Meanwhile
 * the job may be cancelled or pass its deadline, or the server may be dropped.  So once a second,
 * while an exchange has been under way for a second or more, one statement reads what the owners
 * wish, and the catalog caches say who may still use what.  While no exchange takes that long
 * nothing is asked, and no transaction begins.
 *
 * What happens to an exchange that is not wanted any more:
 *
 * - Server, mapping or USAGE are gone: it ends at once.  The chunk waits with the reason that its
 *   next claim finds; results stay at the provider.
 * - The job was cancelled or is late: it ends at once, unless it is a download of results.  Those
 *   are paid for: the download goes on while it moves, for batchinf.stall_timeout at most.  Then
 *   the lines that have come are delivered (batch/fetch.c).
 * - The create call is not cut off at once: its reply has batchinf.stall_timeout to come, counted
 *   from when it was not wanted any more.  After that its fate is unknown, and the batch is looked
 *   for (promise 1).
 * - What a cancelled job does to end (cancel call, clean-up, results that are asked for after the
 *   cancel) is wanted; of these only a download that drips is ended.
 */
#include "postgres.h"

#include "base/guc.h"
#include "engine/watch.h"
#include "store/server.h"
#include "utils/timestamp.h"

/* For this time an exchange runs unobserved, and this time passes between two looks. */
#define WATCH_MS 1000

/* A download drips if it moves fewer bytes than this between two looks. */
#define DRIP_BYTES (64 * 1024)

/* One look at the steps that have an exchange which takes long. */
typedef struct Watch
{
	TimestampTz now;
	int			n;
	BiStep	  **steps;
	BiWish	   *wishes;			/* of the owner of each job */
	const char **lost;			/* why the owner may not use the server any more, or NULL */
} Watch;

static bool
takes_long(const BiStepExchange *exchange, TimestampTz now)
{
	return TimestampDifferenceExceeds(exchange->sent_at, now, WATCH_MS);
}

static bool
has_long_exchange(const BiStep *step, TimestampTz now)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &step->exchanges))
		if (takes_long(dlist_container(BiStepExchange, node, iter.cur), now))
			return true;
	return false;
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
		watch->lost[i] = bi_server_lost(step->job->server, step->server->mapping,
										step->job->owner);
	}
	bi_chunk_wishes(ids, watch->wishes, watch->n);
}

/* True if results are being downloaded. */
static bool
is_download(const BiStepExchange *exchange)
{
	return exchange->step->saved_state == BI_CHUNK_FETCHING &&
		bi_step_current(exchange)->download != NULL;
}

/* True if the wish makes this exchange pointless. */
static bool
is_against_wish(const BiStepExchange *exchange, BiWish wish)
{
	const BiStep *step = exchange->step;

	if (wish == BI_WISH_NONE)
		return false;
	if (is_download(exchange))
		return true;
	/* What was begun in knowledge of the wish fulfils it. */
	return step->wish == BI_WISH_NONE && step->saved_state != BI_CHUNK_FETCHING &&
		step->saved_state != BI_CHUNK_CANCELLING && step->saved_state != BI_CHUNK_CLEANING;
}

/* True if it may go on for a while, though nobody wants it.  moved: bytes since the last look. */
static bool
has_grace(const BiStepExchange *exchange, bool is_lost, int64 moved, TimestampTz now)
{
	bool		is_paid = exchange->step->saved_state == BI_CHUNK_CREATING;

	if (!is_lost && is_download(exchange) && moved >= DRIP_BYTES)
		is_paid = true;
	return is_paid &&
		!TimestampDifferenceExceeds(exchange->unwanted_at, now, bi_guc_stall_timeout);
}

static void
judge(BiHttp *http, BiStepExchange *exchange, BiWish wish, const char *lost, TimestampTz now)
{
	BiStep	   *step = exchange->step;
	const BiExchange *ex = bi_step_current(exchange);
	int64		moved = ex->moved - exchange->seen_moved;
	const char *why = lost;

	exchange->seen_moved = ex->moved;
	if (lost == NULL && !is_against_wish(exchange, wish))
		return;
	if (exchange->unwanted_at == 0)
		exchange->unwanted_at = now;
	if (has_grace(exchange, lost != NULL, moved, now))
		return;
	if (lost == NULL)
	{
		step->wish = wish;
		why = wish == BI_WISH_CANCEL ? "the job was cancelled" : "the job's deadline has passed";
	}
	bi_http_stop(http, ex, psprintf("%s while the exchange was under way", why));
}

static void
judge_step(BiHttp *http, const Watch *watch, int i)
{
	BiStep	   *step = watch->steps[i];
	dlist_iter	iter;

	dlist_foreach(iter, &step->exchanges)
	{
		BiStepExchange *exchange = dlist_container(BiStepExchange, node, iter.cur);

		if (takes_long(exchange, watch->now))
			judge(http, exchange, watch->wishes[i], watch->lost[i], watch->now);
	}
}

static void
watch_steps(BiXactMode mode, BiHttp *http, Watch *watch)
{
	ErrorData  *error = bi_xact_run(mode, watch_phase, watch);

	if (error)
	{
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not see whether exchanges of batch jobs are still wanted: %s",
						error->message)));
		return;
	}
	for (int i = 0; i < watch->n; i++)
		judge_step(http, watch, i);
}

void
bi_watch(BiXactMode mode, BiHttp *http, List *steps, TimestampTz *watched_at)
{
	int			size = list_length(steps);
	Watch		watch = {.now = GetCurrentTimestamp()};
	ListCell   *cell;

	if (size == 0 || !TimestampDifferenceExceeds(*watched_at, watch.now, WATCH_MS))
		return;
	watch.steps = palloc(sizeof(BiStep *) * size);
	watch.wishes = palloc0(sizeof(BiWish) * size);
	watch.lost = palloc0(sizeof(char *) * size);
	foreach(cell, steps)
		if (has_long_exchange(lfirst(cell), watch.now))
			watch.steps[watch.n++] = lfirst(cell);
	if (watch.n == 0)
		return;
	*watched_at = watch.now;
	watch_steps(mode, http, &watch);
}
