/*
 * engine/results/limit.c: a timeout beside the session's own.
 *
 * Cancels as statement_timeout does, but again and again, because code may catch a cancel.  Code
 * that catches one in a loop meets the next as soon as its subtransaction is rolled back, which
 * is outside of the block that catches.  Where the limit depends on whether this process is wanted,
 * the same timer asks.  Knows nothing of what it limits.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "engine/results/limit.h"
#include "engine/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* After this time code that goes on after a cancel is cancelled again, or is_wanted is asked
 * again. */
#define AGAIN_MS 1000

static volatile sig_atomic_t passed = false;	/* the limit of the code that runs, or ran last */
static bool running = false;	/* code runs within a limit */
static BiLimit current;			/* that limit ... */
static TimestampTz ends_at;		/* ... and when its ms have passed */
static volatile sig_atomic_t early = false; /* it was cancelled before that */
static bool committing = false; /* the code is a commit */
static bool commit_statement_limited = false;	/* what is_ours asks for of that */

/* Does what the server's StatementTimeoutHandler does: cancels also what the code has started. */
static void
on_timeout(void)
{
	if (!passed && GetCurrentTimestamp() < ends_at)
	{
		if (!current.is_wanted())
			return;
		early = true;
	}
	passed = true;
	kill(-MyProcPid, SIGINT);
	kill(MyProcPid, SIGINT);
}

/* Cancels again when code that has caught a cancel has rolled its subtransaction back. */
static void
on_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && running && passed)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
}

static void on_transaction(XactEvent event, void *arg);

static TimeoutId
our_timeout(void)
{
	static TimeoutId id = MAX_TIMEOUTS;

	if (id == MAX_TIMEOUTS)
	{
		id = RegisterTimeout(USER_TIMEOUT, on_timeout);
		RegisterSubXactCallback(on_subtransaction, NULL);
		RegisterXactCallback(on_transaction, NULL);
	}
	return id;
}

static void
stop(TimeoutId timeout)
{
	disable_timeout(timeout, false);
	running = false;
}

/*
 * The second transaction callback of the project, beside that of worker/wake.c, which it cannot
 * share.  It must be called after the one of postgres_fdw, so it must have been registered before
 * that one: when the first write of a process begins.  wake.c registers its own when a session
 * first submits, which may be later.
 *
 * Ends the limit of a commit when the remote servers have committed: the callback that was
 * registered first is called last.  What follows must not be cancelled: a wait for a standby would
 * end early.
 */
static void
on_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || !committing || !running)
		return;
	stop(our_timeout());
	if (passed)
		CHECK_FOR_INTERRUPTS();
}

/* True if our limit caused the error.  If statement_timeout has passed too, the cancel is the
 * session's. */
static bool
is_ours(const ErrorData *error, bool statement_limited)
{
	return passed && bi_xact_is_cancel(error) &&
		get_timeout_active(STATEMENT_TIMEOUT) == statement_limited;
}

/* Raises what code raised, or, if our limit caused that, what it means.  Call it in PG_CATCH,
 * when the timeout is off. */
static void
raise_error(MemoryContext cxt, const BiLimit *limit, bool statement_limited)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	ErrorData  *error = CopyErrorData();

	/* If code failed by itself just then, our cancel is still pending: it must not meet us. */
	if (passed)
		QueryCancelPending = false;
	if (!is_ours(error, statement_limited))
	{
		MemoryContextSwitchTo(old);
		PG_RE_THROW();
	}
	FlushErrorState();
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg_internal("%s", early ? limit->wanted_message : limit->message)));
}

bool
bi_limit_has_passed(void)
{
	return passed;
}

static void
start(TimeoutId timeout, const BiLimit *limit)
{
	TimestampTz now = GetCurrentTimestamp();
	int			first_ms = limit->is_wanted ? Min(limit->ms, limit->wanted_ms) : limit->ms;

	current = *limit;
	ends_at = TimestampTzPlusMilliseconds(now, limit->ms);
	passed = early = false;
	running = true;
	enable_timeout_every(timeout, TimestampTzPlusMilliseconds(now, first_ms), AGAIN_MS);
}

void
bi_limit_start_commit(int ms)
{
	BiLimit		limit = {.ms = ms};

	commit_statement_limited = get_timeout_active(STATEMENT_TIMEOUT);
	start(our_timeout(), &limit);
	committing = true;
}

ErrorData *
bi_limit_end_commit(ErrorData *error)
{
	if (!committing)
		return error;
	committing = false;
	stop(our_timeout());
	if (passed)
		QueryCancelPending = false;
	if (error && is_ours(error, commit_statement_limited))
	{
		error->sqlerrcode = ERRCODE_LOCK_NOT_AVAILABLE;
		error->message = pstrdup("canceling write-back because a remote server does not commit");
	}
	return error;
}

void
bi_limit_run(const BiLimit *limit, void (*code) (void *arg), void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	TimeoutId	timeout = our_timeout();
	bool		statement_limited = get_timeout_active(STATEMENT_TIMEOUT);

	start(timeout, limit);
	PG_TRY();
	{
		code(arg);
		stop(timeout);
		/* A cancel that code has not met: meet it here, where it is known to be ours. */
		if (passed)
			CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		stop(timeout);
		raise_error(cxt, limit, statement_limited);
	}
	PG_END_TRY();
}
