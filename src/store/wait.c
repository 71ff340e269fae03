/*
 * store/wait.c: the words of wait kinds, as they are in batchinf.chunk.wait_kind, in
 * batch_chunks and in batchinf.job_wait.
 */
#include "postgres.h"

#include "store/wait.h"

static const char *const names[] = {
	[BI_WAIT_NONE] = NULL,
	[BI_WAIT_TIME] = "time",
	[BI_WAIT_SOURCE] = "source",
	[BI_WAIT_ROOM] = "room",
	[BI_WAIT_COMPANY] = "company",
	[BI_WAIT_FAILURE_RATE] = "failure_rate",
	[BI_WAIT_TARGET] = "target",
	[BI_WAIT_OWNER] = "owner",
	[BI_WAIT_KEY] = "key",
	[BI_WAIT_THROTTLED] = "throttled",
	[BI_WAIT_SERVER] = "server",
	[BI_WAIT_NOT_READY] = "not_ready",
	[BI_WAIT_SETTLE] = "settle",
	[BI_WAIT_AMBIGUOUS] = "ambiguous",
	[BI_WAIT_TOO_LARGE] = "too_large",
	[BI_WAIT_ERROR] = "error",
	[BI_WAIT_BUDGET] = "budget",
	[BI_WAIT_FOREIGN] = "foreign",
	[BI_WAIT_PAUSED] = "paused",
	[BI_WAIT_SERVER_PAUSED] = "server_paused",
	[BI_WAIT_NO_WORKER] = "no_worker",
	[BI_WAIT_WRITE] = "write",
};

const char *
bi_wait_name(BiWaitKind kind)
{
	return names[kind];
}

BiWaitKind
bi_wait_parse(const char *name)
{
	for (int i = BI_WAIT_NONE + 1; name && i < lengthof(names); i++)
		if (strcmp(names[i], name) == 0)
			return (BiWaitKind) i;
	return BI_WAIT_NONE;
}
