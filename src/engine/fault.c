/*
 * engine/fault.c: when a process is to make room for a fresh one.
 *
 * Most failures belong to a chunk: it keeps the reason, waits, and nothing else is held up.
 * A few belong to the process: a lock table that it has filled, memory that it has used up,
 * whatever the code of a job's owner has left behind in its session.  They show in that the
 * process can no longer record what its steps have done, or has no memory left.  To go on in
 * such a process helps nobody, and may harm everybody.
 *
 * drive.c owns the count, step.c and drive.c add to it, and drive.c asks once a turn whether
 * the process may go on.  A visit that may not ends, and the next one comes in a fresh
 * process; batch_work ends with the error.  What was under way is taken up as after a crash:
 * each claim ends with its process, and a paid call is looked for before it is made again.
 *
 * Both a number and a time are needed: several steps may fail within one moment that passes,
 * such as a lock that is held for a second.
 */
#include "postgres.h"

#include "engine/fault.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

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

/* Too little memory, or a full lock table, is met by each chunk, whatever is in it. */
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
	if (faults->n < FAULTS_MAX || !TimestampDifferenceExceeds(faults->since, GetCurrentTimestamp(), FAULTS_MS))
		return;
	ereport(ERROR,
			(errcode(faults->code),
			 errmsg("cannot go on with batch jobs in this process: %s", faults->last),
			 errdetail("This was failure %d in a row. What was under way is taken up as after a crash.", faults->n)));
}
