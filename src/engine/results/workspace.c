/*
 * engine/results/workspace.c: the memory and the time of a delivery's pieces of work.
 */
#include "postgres.h"

#include "engine/results/workspace.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define SLICE_MS 100

/* A group that has more memory takes no further result.  The items of an output take hundreds of
 * times as much as its text. */
#define GROUP_MEMORY ((Size) 64 * 1024 * 1024)

void
bi_workspace_init(BiWorkspace *space, MemoryContext parent)
{
	space->group_cxt = AllocSetContextCreate(parent, "batchinf group", ALLOCSET_DEFAULT_SIZES);
	space->line_cxt = AllocSetContextCreate(parent, "batchinf line", ALLOCSET_DEFAULT_SIZES);
}

void
bi_workspace_begin_slice(BiWorkspace *space)
{
	space->slice_end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SLICE_MS);
}

bool
bi_workspace_is_over(const BiWorkspace *space)
{
	return GetCurrentTimestamp() >= space->slice_end;
}

bool
bi_workspace_is_full(const BiWorkspace *space)
{
	return MemoryContextMemAllocated(space->group_cxt, true) > GROUP_MEMORY;
}
