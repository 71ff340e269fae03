/*
 * engine/results/budget.c: an end to work on one record whose cost cannot be foretold.
 *
 * Work that can be counted is counted, and the count decides (base/schema.c).  Work that cannot
 * be counted, such as the steps of a jsonpath, ends here when the process has used too much
 * processor time for it, or when its memory context has grown too large.  Processor time and not
 * time that passes: on a loaded machine a record takes longer, and must end as it would on an
 * idle one.
 *
 * A timeout looks at both every TICK_MS, and cancels the code as a user's cancel would, again
 * and again, because code may catch a cancel.  limit.c does the same for code of a job's owner,
 * which may wait for locks and so is limited by time that passes.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "engine/results/budget.h"
#include "engine/xact.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define TICK_MS 20

#define BYTES_PER_MB ((Size) 1024 * 1024)

typedef enum Exceeded
{
	WITHIN,
	TOO_MUCH_TIME,
	TOO_MUCH_MEMORY
} Exceeded;

/* About the code that runs.  start() sets them, then only the signal handler writes "exceeded". */
static volatile sig_atomic_t exceeded = WITHIN;
static int64 end_ms;			/* processor time of the process at which it is too much */
static MemoryContext watched;	/* the context whose size is limited */

static TimeoutId timeout = MAX_TIMEOUTS;	/* registered by the first use */

static int64
used_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64) used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Runs in a signal handler: it reads one number of the context, and follows no list. */
static void
on_tick(void)
{
	if (exceeded == WITHIN && used_ms() >= end_ms)
		exceeded = TOO_MUCH_TIME;
	if (exceeded == WITHIN && watched->mem_allocated > BI_BUDGET_MEMORY_MB * BYTES_PER_MB)
		exceeded = TOO_MUCH_MEMORY;
	if (exceeded == WITHIN)
		return;
	QueryCancelPending = true;
	InterruptPending = true;
}

static void
start(int cpu_ms)
{
	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, on_tick);
	exceeded = WITHIN;
	watched = CurrentMemoryContext;
	end_ms = used_ms() + cpu_ms;
	enable_timeout_every(timeout, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TICK_MS),
						 TICK_MS);
}

/* Ends the watch.  Clear a cancel of ours that is still pending, otherwise the next code would
 * meet it. */
static void
stop(void)
{
	disable_timeout(timeout, false);
	if (exceeded != WITHIN)
		QueryCancelPending = false;
}

static char *
describe(int cpu_ms)
{
	if (exceeded == TOO_MUCH_TIME)
		return psprintf("more than %d ms of processor time", cpu_ms);
	return psprintf("more than %d MB of memory", BI_BUDGET_MEMORY_MB);
}

char *
bi_budget_run(int cpu_ms, void (*code) (void *arg), void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	volatile bool cancelled = false;

	start(cpu_ms);
	PG_TRY();
	{
		code(arg);
		stop();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		stop();
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		if (exceeded == WITHIN || !bi_xact_is_cancel(error))
			PG_RE_THROW();
		FlushErrorState();
		cancelled = true;
	}
	PG_END_TRY();
	return cancelled ? describe(cpu_ms) : NULL;
}
