/*
 * api/planner.h: cuts a job's records into chunks while they stream past.
 */
#ifndef BI_PLANNER_H
#define BI_PLANNER_H

#include "postgres.h"

#include "provider/provider.h"

typedef struct BiPlanner BiPlanner;

/*
 * SPI must be connected for all of these.  first > 0: the first chunk has no more records than
 * that, for its answers tell whether the others are to be sent at all; but it has no fewer than a
 * batch needs, and takes what would be too few for a last one.
 */
extern BiPlanner *bi_planner_new(int64 job_id, const BiLimits *limits, const BiFrame *frame,
								 int max_attempts, int64 first);

/* A record that is sent, or one that is skipped (input NULL).  ereports a record that is
 * larger than a batch may be. */
extern void bi_planner_add(BiPlanner *planner, const char *record_id, const List *key, const char *input);

typedef struct BiPlanned
{
	int64		records;		/* skipped ones included */
	int64		skipped;
	int64		chunks;
} BiPlanned;

/* Writes out what is buffered; the chunks are inserted by bi_planner_chunks, once the job
 * is there. */
extern BiPlanned bi_planner_finish(BiPlanner *planner);
extern void bi_planner_chunks(BiPlanner *planner);

/* The key of a record as messages show it: its beginning, where it is long. */
extern const char *bi_planner_shown(const char *record_id);

#endif							/* BI_PLANNER_H */
