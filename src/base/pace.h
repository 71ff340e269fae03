/*
 * base/pace.h: when something is done again, less and less often.  Pure: no clock.
 */
#ifndef BI_PACE_H
#define BI_PACE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * Returns the first time of a series that is later than after.  The series begins at base.  Each
 * time is followed by the next one after a fifth of what has passed since base, but after no less
 * than step_ms and no more than cap_ms (both > 0, step_ms <= cap_ms).
 */
extern TimestampTz bi_pace_next(TimestampTz base, int64 step_ms, int64 cap_ms, TimestampTz after);

#endif							/* BI_PACE_H */
