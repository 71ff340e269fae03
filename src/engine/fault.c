/*
 * engine/fault.c: failures that belong to the process, and when a fresh one must go on.
 *
 * Most failures belong to a chunk: it keeps the reason and waits, and nothing else is held up.
 * A few belong to the process: it has filled the lock table, used up its memory, or code of a
 * job's owner has left something behind in its session.  Such a process can no longer save what its
 * steps have done, or has no memory left.  To go on in it helps nobody, and may harm everybody.
 *
 * drive.c owns the count, step.c and drive.c add to it, and drive.c asks once a turn whether the
 * process may go on.  If not, a visit ends and the next one comes in a fresh process; batch_work
 * ends with the error.  What was under way is continued as after a crash: each claim ends with
 * its process, and a lost paid call is searched before it is made again.
 *
 * Both a number and a time are needed: several steps may fail in one moment that passes, such as a
 * lock that is held for a second.
 */
#include "postgres.h"

#include "engine/fault.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* The process ends after this many failures in a row, the first of them this long ago. */
#define FAULTS_MAX 5
#define FAULTS_MS 6000

bool
bi_fault_add(BiFaults *faults, int code, const char *message)
{
	if (faults->last)
		pfree(faults->last);
	faults->last = MemoryContextStrdup(faults->cxt, message);
	faults->code = code;
	if (faults->n == 0)
		faults->since = GetCurrentTimestamp();
	return faults->n++ == 0;
}

/* Every chunk meets too little memory or a full lock table (which has the same code), whatever is
 * in the chunk. */
void
bi_fault_kept(BiFaults *faults, const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		(void) bi_fault_add(faults, error->sqlerrcode, error->message);
}

void
bi_fault_none(BiFaults *faults)
{
	faults->n = 0;
}

void
bi_fault_check(const BiFaults *faults)
{
	TimestampTz now = GetCurrentTimestamp();

	if (faults->n < FAULTS_MAX || !TimestampDifferenceExceeds(faults->since, now, FAULTS_MS))
		return;
	ereport(ERROR,
			(errcode(faults->code),
			 errmsg("cannot go on with batch jobs in this process: %s", faults->last),
			 errdetail("This was failure %d in a row."
					   " What was under way is continued as after a crash.", faults->n)));
}
