/*
 * store/outcome.c: the words of outcomes and of write states.
 *
 * The only tables of them in C; in SQL they are in the CHECKs of batchinf.result.  No SQL.
 */
#include "postgres.h"

#include "store/outcome.h"

static const char *const outcome_names[BI_NOUTCOMES] = {
	"succeeded", "invalid_output", "errored", "expired", "cancelled", "missing", "skipped"
};

static const char *const write_names[BI_NWRITES] = {
	NULL, "written", "waiting", "stale", "target_missing", "write_failed", "partly", "incomplete",
	"reverted"
};

const char *
bi_outcome_name(BiOutcome outcome)
{
	return outcome_names[outcome];
}

BiOutcome
bi_outcome_parse(const char *name)
{
	for (int i = 0; i < BI_NOUTCOMES; i++)
		if (strcmp(outcome_names[i], name) == 0)
			return (BiOutcome) i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown outcome \"%s\"", name)));
}

const char *
bi_outcome_write_name(BiWriteState state)
{
	return write_names[state];
}
