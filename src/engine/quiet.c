/*
 * engine/quiet.c: polls of open chunks that write nothing while nothing changes.
 *
 * Nearly all polls find nothing new.  So an open chunk (store/open.h) is not claimed for a poll:
 * this process remembers it (polls.c) and knows when it is due.  In a look, in one transaction:
 *
 *   discover  reads the chunks that have become open, by the time of their first poll.  That is in
 *             an index, so that chunks which are known already are not read again, except for those
 *             of the last minute: a transaction that commits late may have set an earlier time.
 *             Every ten minutes all are read, whatever the reason why one may be missing.
 *   choose    takes what is due, one chunk of each owner after another, so that nobody waits behind
 *             the backlog of another owner; and of an owner's servers the one that waited longest.
 *   read      those that were chosen, as they are now.  One that is not open any more is forgotten.
 *             While the server is paused for its owner, none of the two is polled.
 *   step      makes a step of each (claim.c).  If its reply says nothing new, the step ends without
 *             a word, and the chunk is polled again later.  Otherwise its first save claims the
 *             chunk in the same transaction, and it goes on as any other one.
 *
 * Two processes may poll the same chunk at once.  That costs a request; the first one that saves
 * something wins, and the other one ends (class 40).
 *
 * When the loop ends, it says until when all polls have been made; the next process goes on from
 * there.  A process that does not know that polls each open chunk once at its beginning: a few at
 * once, the others one after another.
 */
#include "postgres.h"

#include "engine/polls.h"
#include "engine/quiet.h"
#include "engine/room.h"
#include "provider/registry.h"
#include "store/open.h"
#include "store/server.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Two looks are at least this far apart. */
#define LOOK_APART_MS 250

/* Chunks whose first poll is this long ago are read again: a commit may come late. */
#define OVERLAP_MS 60000

/* All open chunks are read again after this time. */
#define READ_ALL_MS (10 * 60 * 1000)

/* For chunks that other processes have made, this often. */
#define DISCOVER_MS 60000

/* At the beginning this many chunks of a pair are polled at once, the others this far apart. */
#define FIRST_AT_ONCE 64
#define FIRST_APART_MS 100

/* While the server is paused, or fails: whether it still is so is asked after this time. */
#define PAUSED_MS 60000
#define PROBE_MS 1000

/* The poll interval of a server that is gone. */
#define GONE_POLL_MS 60000

/* A quiet poll that could not be begun is tried again after this time. */
#define AGAIN_MS 1000

struct BiQuiet
{
	const BiQuietWish *wish;
	MemoryContext cxt;
	MemoryContext polls_cxt;	/* of polls */
	BiPolls    *polls;			/* NULL: nothing was read yet */
	TimestampTz done_until;		/* polls that were due then were made; 0: not known */
	TimestampTz looked_at;		/* the last look */
	TimestampTz discovered_at;	/* chunks are known whose first poll was due then */
	TimestampTz read_all_at;	/* when all were read */
	TimestampTz next_first;		/* the next first poll of a chunk that is not known */
};

/* One look. */
typedef struct Look
{
	BiQuiet    *quiet;
	const List *steps;			/* of the loop */
	List	   *chosen;			/* BiPoll, from choose to step */
	List	   *made;			/* BiStep */
	TimestampTz now;
	MemoryContext cxt;			/* of chosen and made */
} Look;

BiQuiet *
bi_quiet_new(MemoryContext cxt, const BiQuietWish *wish)
{
	BiQuiet    *quiet = MemoryContextAllocZero(cxt, sizeof(BiQuiet));

	quiet->wish = wish;
	quiet->cxt = cxt;
	return quiet;
}

/* True if polls are made in this process. */
static bool
is_mine(const BiQuiet *quiet)
{
	return quiet->wish->host == NULL || quiet->wish->host->polls();
}

/* Discover */

static BiPollPair *
pair_of(BiPolls *polls, const BiOpen *open)
{
	BiPollPair *pair = bi_polls_pair(polls, open->owner, open->server);
	const BiProvider *provider;
	BiServer   *server;

	if (pair->poll_ms > 0)
		return pair;
	pair->poll_ms = GONE_POLL_MS;
	server = bi_server_load(open->server, open->owner);
	provider = server ? bi_registry_find(server->provider) : NULL;
	if (provider)
		pair->poll_ms = bi_registry_limits(provider, server, NULL).poll_interval * 1000;
	return pair;
}

/* The chunk is open, and may be known. */
static void
learn(BiQuiet *quiet, const BiOpen *open, TimestampTz at)
{
	BiPoll	   *poll = bi_polls_find(quiet->polls, open->id);

	/* Was it written since?  Then its series of polls begins again. */
	if (poll && (poll->base == open->base || poll->under_way))
		return;
	if (poll)
		bi_polls_forget(quiet->polls, poll);
	bi_polls_add(quiet->polls, pair_of(quiet->polls, open), open->id, open->base, at);
}

/* Returns when a chunk is polled that this process has found at its beginning. */
static TimestampTz
first_time(const BiQuiet *quiet, const BiPollPair *pair, const BiOpen *open, TimestampTz now)
{
	int64		wait = Max(0, pair->n - FIRST_AT_ONCE) * (int64) FIRST_APART_MS;

	if (quiet->done_until != 0)
		return bi_polls_time(pair, open->base, quiet->done_until);
	return Min(bi_polls_time(pair, open->base, now), TimestampTzPlusMilliseconds(now, wait));
}

static void
read_first(BiQuiet *quiet, TimestampTz now)
{
	ListCell   *cell;
	List	   *all = bi_open_new(CurrentMemoryContext, DT_NOBEGIN, now);

	quiet->done_until = quiet->wish->done_until ? *quiet->wish->done_until : 0;
	quiet->polls_cxt = AllocSetContextCreate(quiet->cxt, "batchinf polls",
											 ALLOCSET_DEFAULT_SIZES);
	quiet->polls = bi_polls_new(quiet->polls_cxt);
	foreach(cell, all)
	{
		const BiOpen *open = lfirst(cell);

		learn(quiet, open, first_time(quiet, pair_of(quiet->polls, open), open, now));
	}
	quiet->read_all_at = now;
}

static void
read_new(BiQuiet *quiet, TimestampTz now)
{
	bool		all = TimestampDifferenceExceeds(quiet->read_all_at, now, READ_ALL_MS);
	TimestampTz since = all ? DT_NOBEGIN :
	TimestampTzPlusMilliseconds(quiet->discovered_at, -OVERLAP_MS);
	ListCell   *cell;

	foreach(cell, bi_open_new(CurrentMemoryContext, since, now))
	{
		const BiOpen *open = lfirst(cell);

		learn(quiet, open, open->base);
	}
	if (all)
		quiet->read_all_at = now;
}

static bool
must_discover(const BiQuiet *quiet, TimestampTz now)
{
	return quiet->polls == NULL || quiet->next_first <= now ||
		TimestampDifferenceExceeds(quiet->discovered_at, now, DISCOVER_MS);
}

static void
discover(BiQuiet *quiet, TimestampTz now)
{
	if (quiet->polls == NULL)
		read_first(quiet, now);
	else
		read_new(quiet, now);
	quiet->discovered_at = now;
	quiet->next_first = bi_open_next(now);
}

void
bi_quiet_refresh(BiQuiet *quiet)
{
	if (quiet->polls && is_mine(quiet))
		quiet->next_first = bi_open_next(quiet->discovered_at);
}

/* Choose */

/* True if one more poll of this owner fits. */
static bool
has_room(const Look *look, Oid owner)
{
	int			all = list_length(look->steps) + list_length(look->chosen);
	int			quiet = 0;
	ListCell   *cell;

	foreach(cell, look->steps)
	{
		const BiStep *step = lfirst(cell);

		quiet += step->job->owner == owner && step->is_quiet;
	}
	foreach(cell, look->chosen)
		quiet += ((BiPoll *) lfirst(cell))->pair->owner == owner;
	return bi_room_for_poll(all, quiet);
}

/* Returns the owner's pair that has had a chunk due for longest; NULL if none has one due. */
static BiPollPair *
most_due(const Look *look, Oid owner)
{
	BiPollPair *most = NULL;
	ListCell   *cell;

	foreach(cell, bi_polls_pairs(look->quiet->polls))
	{
		BiPollPair *pair = lfirst(cell);

		if (pair->owner != owner || bi_polls_pair_next(pair) > look->now)
			continue;
		if (most == NULL || bi_polls_pair_next(pair) < bi_polls_pair_next(most))
			most = pair;
	}
	return most;
}

/* Takes one chunk of each owner who has one due.  False if there was none. */
static bool
choose_round(Look *look)
{
	bool		found = false;
	List	   *owners = NIL;
	ListCell   *cell;

	foreach(cell, bi_polls_pairs(look->quiet->polls))
	{
		Oid			owner = ((BiPollPair *) lfirst(cell))->owner;
		BiPollPair *pair;

		if (list_member_oid(owners, owner))
			continue;
		owners = lappend_oid(owners, owner);
		pair = has_room(look, owner) ? most_due(look, owner) : NULL;
		if (pair == NULL)
			continue;
		look->chosen = lappend(look->chosen, bi_polls_take(pair));
		found = true;
	}
	return found;
}

static void
choose(Look *look)
{
	MemoryContext old = MemoryContextSwitchTo(look->cxt);

	while (choose_round(look))
		continue;
	MemoryContextSwitchTo(old);
}

/* Read and step */

/* Puts a chunk back that was chosen, with its next poll at that time. */
static void
put_back(Look *look, BiPoll *poll, TimestampTz at)
{
	look->chosen = list_delete_ptr(look->chosen, poll);
	bi_polls_put(poll, at);
}

/* Its poll goes on being due, but the pair waits. */
static void
postpone(Look *look, BiPoll *poll, TimestampTz until)
{
	poll->pair->not_before = until;
	put_back(look, poll, poll->at);
}

static void
begin_step(Look *look, BiPoll *poll, const BiDue *due)
{
	BiStep	   *step = bi_claim_step(&look->quiet->wish->claimer, due);
	MemoryContext old;

	/* Another process has changed it, or it waits now.  The next reading tells. */
	if (step == NULL)
	{
		put_back(look, poll, bi_polls_time(poll->pair, poll->base, look->now));
		return;
	}
	look->chosen = list_delete_ptr(look->chosen, poll);
	old = MemoryContextSwitchTo(look->cxt);
	look->made = lappend(look->made, step);
	MemoryContextSwitchTo(old);
}

/* Takes a chunk that was chosen, as it is now. */
static void
take(Look *look, const BiOpenNow *now)
{
	const BiDue *due = &now->due;
	BiPoll	   *poll = bi_polls_find(look->quiet->polls, due->chunk->id);

	poll->base = due->base;
	if (poll->base > look->now)
		put_back(look, poll, poll->base);
	else if (now->held)
		put_back(look, poll, bi_polls_time(poll->pair, poll->base, look->now));
	else if (now->paused_until > look->now)
		postpone(look, poll, Min(now->paused_until,
								 TimestampTzPlusMilliseconds(look->now, PAUSED_MS)));
	else if (bi_claim_is_second_probe(look->steps, due) ||
			 bi_claim_is_second_probe(look->made, due))
		postpone(look, poll, TimestampTzPlusMilliseconds(look->now, PROBE_MS));
	else
		begin_step(look, poll, due);
}

static void
read_chosen(Look *look)
{
	int			n = list_length(look->chosen);
	int64	   *ids = palloc(sizeof(int64) * n);
	ListCell   *cell;

	foreach(cell, look->chosen)
		ids[foreach_current_index(cell)] = ((BiPoll *) lfirst(cell))->id;
	foreach(cell, bi_open_read(CurrentMemoryContext, ids, n))
		take(look, lfirst(cell));
	/* What was not found is not open any more. */
	foreach(cell, look->chosen)
		bi_polls_forget(look->quiet->polls, lfirst(cell));
	look->chosen = NIL;
}

static void
look_phase(void *arg)
{
	Look	   *look = arg;

	if (must_discover(look->quiet, look->now))
	{
		discover(look->quiet, look->now);
		choose(look);
	}
	if (look->chosen != NIL)
		read_chosen(look);
}

static void
take_error(Look *look, ErrorData *error)
{
	ListCell   *cell;

	foreach(cell, look->chosen)
		bi_polls_put(lfirst(cell), TimestampTzPlusMilliseconds(look->now, AGAIN_MS));
	if (!bi_xact_is_for_now(error))
		ReThrowError(error);
}

/* Another process makes the polls now. */
static void
hand_over(BiQuiet *quiet)
{
	if (quiet->polls == NULL)
		return;
	bi_quiet_leave(quiet);
	quiet->polls = NULL;
	MemoryContextDelete(quiet->polls_cxt);
}

List *
bi_quiet_look(BiQuiet *quiet, const List *steps)
{
	Look		look = {.quiet = quiet, .steps = steps, .cxt = CurrentMemoryContext};
	ErrorData  *error;

	if (!is_mine(quiet))
	{
		hand_over(quiet);
		return NIL;
	}
	look.now = GetCurrentTimestamp();
	if (look.now < bi_quiet_next(quiet))
		return NIL;
	quiet->looked_at = look.now;
	if (quiet->polls)
		choose(&look);
	if (look.chosen == NIL && !must_discover(quiet, look.now))
		return NIL;
	error = bi_xact_run(quiet->wish->claimer.mode, look_phase, &look);
	if (error)
		take_error(&look, error);
	return look.made;
}

/* The loop */

bool
bi_quiet_take_back(BiQuiet *quiet, const BiStep *step)
{
	BiPoll	   *poll = step->is_quiet && quiet->polls ?
	bi_polls_find(quiet->polls, step->chunk->id) : NULL;
	TimestampTz now = GetCurrentTimestamp();

	if (poll && poll->under_way && step->is_unclaimed)
	{
		poll->pair->poll_ms = step->limits.poll_interval * 1000;
		bi_polls_put(poll, bi_polls_time(poll->pair, poll->base, now));
	}
	else if (poll && poll->under_way)
		bi_polls_forget(quiet->polls, poll);
	return step->is_unclaimed;
}

TimestampTz
bi_quiet_due(const BiQuiet *quiet)
{
	if (quiet->polls == NULL)
		return is_mine(quiet) ? DT_NOBEGIN : DT_NOEND;
	return Min(quiet->next_first, bi_polls_next(quiet->polls));
}

TimestampTz
bi_quiet_due_of_others(const BiQuiet *quiet, Oid owner)
{
	TimestampTz due;
	ListCell   *cell;

	if (quiet->polls == NULL)
		return bi_quiet_due(quiet);
	due = quiet->next_first;
	foreach(cell, bi_polls_pairs(quiet->polls))
	{
		const BiPollPair *pair = lfirst(cell);

		if (pair->owner != owner)
			due = Min(due, bi_polls_pair_next(pair));
	}
	return due;
}

void
bi_quiet_drop(const List *steps, int64 chunk_id)
{
	ListCell   *cell;

	foreach(cell, steps)
	{
		BiStep	   *step = lfirst(cell);

		if (step->is_unclaimed && step->chunk->id == chunk_id)
			bi_step_drop(step);
	}
}

TimestampTz
bi_quiet_next(const BiQuiet *quiet)
{
	TimestampTz due = bi_quiet_due(quiet);

	if (quiet->polls == NULL)
		return due;
	due = Min(due, TimestampTzPlusMilliseconds(quiet->discovered_at, DISCOVER_MS));
	return Max(due, TimestampTzPlusMilliseconds(quiet->looked_at, LOOK_APART_MS));
}

void
bi_quiet_leave(const BiQuiet *quiet)
{
	if (quiet->polls && quiet->wish->done_until)
		*quiet->wish->done_until = bi_polls_done_until(quiet->polls, GetCurrentTimestamp());
}
