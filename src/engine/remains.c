/*
 * engine/remains.c: what code of a job's owner leaves in the process.
 *
 * Triggers and the like of one owner run in the same process as those of the next.  A
 * subtransaction undoes most of what they do, and a security-restricted operation refuses most of
 * the rest: PREPARE, LISTEN, temporary tables, cursors WITH HOLD, DISCARD.  Settings end with their
 * nest level, and store/owner.c releases advisory locks.  What stays after that, tried on
 * PostgreSQL 15, is removed here:
 *
 * - the session's random() goes on from where setseed() has put it: seeded again;
 * - lastval() and cached values of sequences: forgotten;
 * - temporary replication slots (of a role with REPLICATION): dropped;
 * - connections of dblink, which belong to nobody: whoever knows the name uses them with the
 *   rights that they were opened with.  Closed;
 * - memory: caches of tables, plans, dictionaries, languages, names of settings.  It is counted,
 *   and a visit with too much of it makes way for a fresh process.
 *
 * A session that calls batch_work belongs to its user: there only random() is seeded again.
 * doc/security.md names what is left.
 */
#include "postgres.h"

#include "base/compat.h"
#include "commands/sequence.h"
#include "engine/remains.h"
#include "fmgr.h"
#include "replication/slot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/* A process with more than this is not used any longer.  Legitimate caches of a database with many
 * tables are far smaller. */
#define GROWN_MAX ((int64) 128 * 1024 * 1024)

static bool own_process = false;	/* a worker, not the session of a user */
static int64 grown = 0;			/* bytes that code of owners has left in use */

void
bi_remains_own_process(void)
{
	own_process = true;
}

/* Otherwise the owner of one trigger could predict what random() returns to the next one's. */
static void
seed_random(void)
{
	uint64		bits;
	double		fraction;

	if (!pg_strong_random(&bits, sizeof(bits)))
		return;
	fraction = (bits >> 12) / (double) (UINT64CONST(1) << 52);
	(void) DirectFunctionCall1(setseed, Float8GetDatum(2.0 * fraction - 1.0));
}

/* Returns the file of library dblink if it is loaded in this process, kept for good; else NULL.
 * The list of libraries only grows, so that it is read again only when its size has changed. */
static char *
find_dblink(void)
{
	static Size known = 0;
	static char *file = NULL;
	Size		size = EstimateLibraryStateSpace();
	char	   *names;

	if (size == known)
		return file;
	known = size;
	names = palloc(size);
	SerializeLibraryState(size, names);
	for (char *name = names; *name; name += strlen(name) + 1)
	{
		const char *base = last_dir_separator(name);

		if (base && strcmp(base + 1, "dblink" DLSUFFIX) == 0 && file == NULL)
			file = MemoryContextStrdup(TopMemoryContext, name);
	}
	pfree(names);
	return file;
}

/* Calls a function of dblink with one argument or none.  Returns 0 for NULL. */
static Datum
call_dblink(const char *function, Datum *name)
{
	LOCAL_FCINFO(fcinfo, 1);
	PGFunction	code = load_external_function(find_dblink(), function, true, NULL);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, name ? 1 : 0, InvalidOid, NULL, NULL);
	if (name)
	{
		fcinfo->args[0].value = *name;
		fcinfo->args[0].isnull = false;
	}
	result = code(fcinfo);
	return fcinfo->isnull ? (Datum) 0 : result;
}

static void
close_named(void *arg)
{
	Datum		names = call_dblink("dblink_get_connections", NULL);
	Datum	   *items;
	int			n;

	if (names == (Datum) 0)
		return;
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &n);
	for (int i = 0; i < n; i++)
		(void) call_dblink("dblink_disconnect", &items[i]);
}

/* Raises an error if there is no unnamed connection. */
static void
close_unnamed(void *arg)
{
	(void) call_dblink("dblink_disconnect", NULL);
}

static void
drop_all(void *arg)
{
	ResetSequenceCaches();
	if (MyReplicationSlot)
		ReplicationSlotRelease();
	bi_drop_temporary_slots();
}

static void
report(const ErrorData *error)
{
	if (error)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not drop what code of a job's owner has left: %s", error->message)));
}

static void
drop_remains(void)
{
	seed_random();
	if (!own_process)
		return;
	report(bi_xact_try(drop_all, NULL));
	if (find_dblink() == NULL)
		return;
	report(bi_xact_try(close_named, NULL));
	(void) bi_xact_try(close_unnamed, NULL);
}

/* Returns the memory that this process uses, without that of cxt. */
static int64
memory_beside(MemoryContext cxt)
{
	return (int64) bi_memory_used() - (int64) MemoryContextMemAllocated(cxt, true);
}

ErrorData *
bi_remains_try(BiPhase phase, void *arg, MemoryContext cxt)
{
	int64		before = memory_beside(cxt);
	ErrorData  *error = bi_xact_try(phase, arg);

	drop_remains();
	grown = Max(grown + memory_beside(cxt) - before, 0);
	return error;
}

bool
bi_remains_too_much(void)
{
	return grown > GROWN_MAX;
}

void
bi_remains_forget(void)
{
	grown = 0;
}
