/*
 * engine/rest.c: how long a loop rests, and what is seen of it meanwhile.
 */
#include "postgres.h"

#include "engine/rest.h"
#include "engine/step.h"
#include "pgstat.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

/* The longest rest, in case that nothing is due ever. */
#define REST_MS 60000

int
bi_rest_ms(TimestampTz when)
{
	if (TIMESTAMP_IS_NOEND(when))
		return REST_MS;
	return Max(1, Min(REST_MS, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when)));
}

void
bi_rest_report(BiXactMode mode, const List *steps)
{
	if (mode == BI_XACT_PROCEDURE)
		return;
	if (steps == NIL)
		pgstat_report_activity(STATE_IDLE, "waiting for the next batch step");
	else
		pgstat_report_activity(STATE_RUNNING, bi_step_describe(linitial(steps)));
	pgstat_report_stat(false);
}
