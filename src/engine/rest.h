/*
 * engine/rest.h: how long a loop rests, and what is seen of it meanwhile.
 */
#ifndef BI_REST_H
#define BI_REST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "engine/xact.h"
#include "nodes/pg_list.h"

/* Returns the milliseconds from now until then: 1 at least, and a minute at most. */
extern int	bi_rest_ms(TimestampTz when);

/* Says what the loop does, for pg_stat_activity and the statistics.  A session reports its own
 * statement.  steps: BiStep. */
extern void bi_rest_report(BiXactMode mode, const List *steps);

#endif							/* BI_REST_H */
