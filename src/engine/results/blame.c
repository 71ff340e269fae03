/*
 * engine/results/blame.c: whose fault an error is.
 *
 * An answer has been paid for.  An error ends its record only if the record itself causes it:
 * then trying again changes nothing.  All other errors pass, or somebody cures them, and the
 * answer must still be there then.  Two places ask:
 *
 * - Saving the answer in our own tables (apply.c, deliver_alone).  No code except ours runs
 *   there, so only a value can be at fault.  VALUE ends the record, UNCLEAR ends it after
 *   batchinf.write_give_up, everything else waits, and the provider's files stay meanwhile.
 * - Writing the output to its target row (write.c, note_error).  Code of the target's owner runs
 *   there, and what it raises is that row's fault.  VALUE and CODE end the write at once,
 *   everything else ends it after batchinf.write_give_up.
 *
 * doc/life-of-a-job.md shows the same table to users.
 */
#include "postgres.h"

#include "engine/results/blame.h"

/* The first entry whose code the SQLSTATE begins with counts. */
static const struct
{
	const char *code;			/* a SQLSTATE, or the beginning of several */
	BiBlame		blame;
}			table[] =
{
	{"22", BI_BLAME_VALUE},		/* data exception */
	{"23", BI_BLAME_VALUE},		/* a constraint */
	{"44", BI_BLAME_VALUE},		/* WITH CHECK OPTION */
	{"54", BI_BLAME_VALUE},		/* a limit of PostgreSQL: row too big, stack depth */
	{"08", BI_BLAME_MOMENT},	/* a connection that code of the target makes */
	{"25001", BI_BLAME_CODE},	/* a command that cannot run within a transaction */
	{"25", BI_BLAME_MOMENT},	/* read-only, aborted, idle for too long */
	{"40", BI_BLAME_MOMENT},	/* deadlock, not serialisable */
	{"42501", BI_BLAME_CODE},	/* row security, triggers; rights are checked before */
	{"42", BI_BLAME_TARGET},	/* the target, or what its code names, is not what it was */
	{"53200", BI_BLAME_UNCLEAR},	/* out of memory: too little of it, or too large a value */
	{"53", BI_BLAME_MOMENT},	/* disk full, too many connections */
	{"55", BI_BLAME_MOMENT},	/* a lock, an object in use */
	{"57", BI_BLAME_MOMENT},	/* shutdown, a cancel that is not ours */
	{"58", BI_BLAME_MOMENT},	/* input and output */
	{"72", BI_BLAME_MOMENT},	/* snapshot too old */
	{"3F", BI_BLAME_TARGET},	/* a schema that is gone */
	{"F0", BI_BLAME_MOMENT},	/* a configuration file */
	{"HV", BI_BLAME_MOMENT},	/* a foreign server that code of the target asks */
	{"XX", BI_BLAME_UNCLEAR}	/* internal error, corrupted data or index */
};

BiBlame
bi_blame(int sqlstate)
{
	const char *code = unpack_sql_state(sqlstate);

	for (int i = 0; i < lengthof(table); i++)
		if (strncmp(code, table[i].code, strlen(table[i].code)) == 0)
			return table[i].blame;
	return BI_BLAME_CODE;
}

bool
bi_blame_write_waits(int sqlstate)
{
	BiBlame		blame = bi_blame(sqlstate);

	return blame != BI_BLAME_VALUE && blame != BI_BLAME_CODE;
}
