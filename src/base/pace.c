/*
 * base/pace.c: when something is done again, less and less often.
 *
 * The times depend on their beginning and on two constants, and on nothing else.  So whoever knows
 * these knows all times: nobody has to write down how often it was done.
 */
#include "postgres.h"

#include "base/pace.h"

/* A gap is this part of the time since the beginning: each is about 20 % longer than the last. */
#define PART 5

TimestampTz
bi_pace_next(TimestampTz base, int64 step_ms, int64 cap_ms, TimestampTz after)
{
	int64		step = step_ms * 1000;
	int64		cap = cap_ms * 1000;
	TimestampTz at = base;

	while (at <= after)
	{
		int64		gap = Max((at - base) / PART, step);

		/* From here on all gaps are the same. */
		if (gap >= cap)
			return at + ((after - at) / cap + 1) * cap;
		at += gap;
	}
	return at;
}
