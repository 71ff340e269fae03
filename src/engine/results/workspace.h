/*
 * engine/results/workspace.h: the memory and the time of a delivery's pieces of work.
 */
#ifndef BI_WORKSPACE_H
#define BI_WORKSPACE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* A group of results: this many at most, and lines of about this many bytes. */
#define BI_WORKSPACE_GROUP 500
#define BI_WORKSPACE_GROUP_BYTES (4 * 1024 * 1024)

/*
 * What a delivery works with.  Deliver.c makes it for a step and begins its slices; the contexts
 * belong to the step's context and go with it.
 *
 * A delivery works in slices of time.  Between two of them the loop sees to cancels, settings
 * and other chunks.  A group may take several slices.
 */
typedef struct BiWorkspace
{
	MemoryContext group_cxt;	/* holds a group until it is in the tables; then it is reset */
	MemoryContext line_cxt;		/* holds what one line or one output takes; reset after each */
	TimestampTz slice_end;		/* when the slice under way has been used up */
} BiWorkspace;

/* Makes its contexts, as children of parent. */
extern void bi_workspace_init(BiWorkspace *space, MemoryContext parent);

extern void bi_workspace_begin_slice(BiWorkspace *space);

/* True if the slice has been used up: work stops between two records, and goes on at the next
 * turn of the loop. */
extern bool bi_workspace_is_over(const BiWorkspace *space);

/* True if the group has so much memory that no more results are put into it. */
extern bool bi_workspace_is_full(const BiWorkspace *space);

#endif							/* BI_WORKSPACE_H */
