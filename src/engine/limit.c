/*
 * engine/limit.c: a timeout beside the session's own.
 *
 * Cancels as statement_timeout does, but again and again: code may catch a cancel.  What
 * catches one in a loop meets the next as soon as it has caught it, outside of what catches.
 * Knows nothing of what it limits.  Called by apply.c.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "engine/limit.h"
#include "engine/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* The next cancel of code that goes on after one. */
#define AGAIN_MS 1000

static volatile sig_atomic_t passed = false;
static bool running = false;	/* the code */

/* As the server's StatementTimeoutHandler: what the code has started is cancelled too. */
static void
on_timeout(void)
{
	passed = true;
	kill(-MyProcPid, SIGINT);
	kill(MyProcPid, SIGINT);
}

/* Who catches an error rolls a subtransaction back. */
static void
on_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && running && passed)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
}

static TimeoutId
our_timeout(void)
{
	static TimeoutId id = MAX_TIMEOUTS;

	if (id == MAX_TIMEOUTS)
	{
		id = RegisterTimeout(USER_TIMEOUT, on_timeout);
		RegisterSubXactCallback(on_subtransaction, NULL);
	}
	return id;
}

static void
stop(TimeoutId timeout)
{
	disable_timeout(timeout, false);
	running = false;
}

/* Where both times have passed the cancel is the session's. */
static bool
is_ours(const ErrorData *error, bool statement_limited)
{
	return passed && bi_xact_is_cancel(error) && get_timeout_active(STATEMENT_TIMEOUT) == statement_limited;
}

/* In PG_CATCH, the timeout being off: throws on what code threw, or what it means. */
static void
throw_on(MemoryContext cxt, bool statement_limited)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	ErrorData  *error = CopyErrorData();

	/* Code that failed by itself just then: the cancel is not to meet us. */
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
			 errmsg("canceling write-back due to batchinf.write_timeout")));
}

void
bi_limit_run(int ms, void (*code) (void *arg), void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	TimeoutId	timeout = our_timeout();
	bool		statement_limited = get_timeout_active(STATEMENT_TIMEOUT);

	passed = false;
	running = true;
	enable_timeout_every(timeout, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms), AGAIN_MS);
	PG_TRY();
	{
		code(arg);
		stop(timeout);
		/* A cancel that code has not met is not to meet us. */
		if (passed)
			CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		stop(timeout);
		throw_on(cxt, statement_limited);
	}
	PG_END_TRY();
}
