/*
 * worker/launcher.c: starts a visit in each database where work is due.
 *
 * The launcher is one background worker of the server.  It is there only where the library is
 * preloaded.  It belongs to no database, and the only table that it reads is pg_database.
 *
 * What it knows stands in the slots (slot.h): which database is due when, which visit runs
 * where, which databases somebody keeps visits away from.  The slots are a hint.  The tables of
 * each database are the truth.  So the slots may be lost with the server's memory, and nothing
 * is forgotten, because of the sweep.
 *
 * One turn of its loop:
 *
 *   sweep         At start, and once each batchinf.sweep_interval, read pg_database.  Every
 *                 database that takes connections and is no template becomes due.  Databases
 *                 that are gone lose their slots.  The sweep finds work that nobody announced: a
 *                 COMMIT PREPARED, a restored dump, a signal that was lost.
 *   fill_slots    Give a slot to each database that the sweep has found.  There are 1,024.
 *                 Databases that find none keep waiting for the next turn.
 *   reap          A worker that ended before it came to its slot has failed: its database backs
 *                 off, from 5 seconds to 5 minutes.
 *   start_visits  Start a visit in each database that is due and has none, the one that was visited
 *                 longest ago first, until batchinf.max_visits run.  Then one more, up to
 *                 batchinf.max_visits_per_database, where those that are there cannot keep up, or
 *                 where an owner's code holds them while something else is due.  If the server has
 *                 no free worker slot, try again in 5 seconds, and say it in the log once.  Visits
 *                 leave after a while if a database waits for its first one.
 *   sleep_until   Sleep until the next database is due, at least a second, at most five minutes,
 *                 and at most two seconds while there are visits.
 *                 A session that commits work, and a visit that leaves, wake it.
 *
 * The launcher never waits for a visit, not even for its start.  A visit tells it, when it leaves,
 * when its database is due again (visit.c).
 *
 * An error ends the process, and the server starts it again after five seconds: a fresh process
 * has nothing of what caused the error.  pg_terminate_backend does the same.  With
 * batchinf.enabled off it starts no visits and only sleeps.  On a standby the server starts it
 * after the promotion.
 *
 * Must not know what a visit does.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/guc.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/hook.h"
#include "worker/launcher.h"
#include "worker/shmem.h"
#include "worker/slot.h"
#include "worker/visit.h"

#define SLEEP_MIN_MS 1000
#define SLEEP_MAX_MS (5 * 60 * 1000)

/* If the server has no free worker slot: try again after this time. */
#define NO_WORKER_MS 5000

/* A new lack of worker slots is reported after this time without a failed try. */
#define NO_WORKER_OVER_MS 60000

/* The server starts a launcher that has failed again after this time. */
#define RESTART_S 5

static MemoryContext sweep_cxt = NULL;	/* holds unseen; reset by each sweep */
static List *unseen = NIL;		/* databases of the last sweep that have no slot yet */
static TimestampTz next_sweep = 0;

/* By seat: its last visit, or NULL. */
static BackgroundWorkerHandle *started[BI_SHMEM_SLOTS * BI_SHMEM_VISITS];
static TimestampTz no_worker_at = 0;	/* when a visit last found no worker slot */

void
bi_launcher_register(void)
{
	BackgroundWorker worker;

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	bi_shmem_register();
	bi_hook_install();

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_S;
	strlcpy(worker.bgw_library_name, "batchinf", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "batchinf_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "batchinf launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "batchinf launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

/* True if it takes connections and is no template. */
static bool
is_visitable(Form_pg_database database)
{
	return database->datallowconn && !database->datistemplate &&
		database->datconnlimit != BI_DATCONNLIMIT_INVALID;
}

/* True if the database still exists and is visitable.  Uses a transaction of its own. */
static bool
is_still_visitable(Oid database)
{
	HeapTuple	tuple;
	bool		is;

	StartTransactionCommand();
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	is = HeapTupleIsValid(tuple) && is_visitable((Form_pg_database) GETSTRUCT(tuple));
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	CommitTransactionCommand();
	return is;
}

/* Returns the oids of all databases to visit, in the current context.  Uses a transaction of its
 * own. */
static List *
read_databases(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!is_visitable(database))
			continue;
		old = MemoryContextSwitchTo(cxt);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	pgstat_report_stat(true);
	MemoryContextSwitchTo(cxt);
	return databases;
}

/* Returns when the sweep after this time is due. */
static TimestampTz
sweep_after(TimestampTz when)
{
	return TimestampTzPlusMilliseconds(when, bi_guc_sweep_interval * INT64CONST(1000));
}

/* Makes every database due, and frees the slots of those that are gone. */
static void
sweep(TimestampTz now)
{
	MemoryContext old;

	MemoryContextReset(sweep_cxt);
	old = MemoryContextSwitchTo(sweep_cxt);
	pgstat_report_activity(STATE_RUNNING, "reading pg_database");
	unseen = read_databases();
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(old);
	bi_slot_keep_only(unseen);
	next_sweep = sweep_after(now);
}

/* Gives slots to the databases that wait for one, as long as there are free ones. */
static void
fill_slots(void)
{
	while (unseen != NIL && bi_slot_add(llast_oid(unseen)))
		unseen = list_delete_last(unseen);
}

/* Finds workers that ended before they came to their slot: they have failed. */
static void
reap(void)
{
	for (int i = 0; i < lengthof(started); i++)
	{
		pid_t		pid;

		if (started[i] == NULL || GetBackgroundWorkerPid(started[i], &pid) != BGWH_STOPPED)
			continue;
		bi_slot_not_started(i, true);
		pfree(started[i]);
		started[i] = NULL;
	}
}

/* Asks the server for one visit.  False if it has no free worker slot. */
static bool
start_visit(int seat, Oid database)
{
	BackgroundWorker worker;

	if (started[seat] != NULL)
		pfree(started[seat]);
	started[seat] = NULL;
	bi_visit_describe(&worker, database, MyProcPid);
	if (RegisterDynamicBackgroundWorker(&worker, &started[seat]))
		return true;
	bi_slot_not_started(seat, false);
	if (TimestampDifferenceExceeds(no_worker_at, GetCurrentTimestamp(), NO_WORKER_OVER_MS))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start a batchinf visit: no background worker slot is free"),
				 errdetail("It is tried again until there is one."),
				 errhint("You might need to increase max_worker_processes.")));
	no_worker_at = GetCurrentTimestamp();
	return false;
}

/* Starts visits in the databases that are due.  Returns when to do so again; DT_NOEND: not before
 * somebody wakes the launcher. */
static TimestampTz
start_visits(TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	Oid			database;
	BiVisitLimits limits = {bi_guc_max_visits, bi_guc_max_visits_per_database};
	int			seat;

	if (!bi_guc_enabled)
		return DT_NOEND;
	while ((seat = bi_slot_pick(&limits, now, &database, &next)) >= 0)
	{
		/* A visit would fail there.  Count it as a failure, so that the database backs off. */
		if (!is_still_visitable(database))
			bi_slot_not_started(seat, true);
		else if (!start_visit(seat, database))
			return TimestampTzPlusMilliseconds(now, NO_WORKER_MS);
	}
	return next;
}

static void
sleep_until(TimestampTz next)
{
	long		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);

	ms = Min(Max(ms, SLEEP_MIN_MS), SLEEP_MAX_MS);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

static void
leave(int code, Datum arg)
{
	bi_slot_close();
}

static void
obey_signals(void)
{
	/* With exit code 1 the server starts it again, also after pg_terminate_backend. */
	if (ProcDiePending)
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		next_sweep = Min(next_sweep, sweep_after(GetCurrentTimestamp()));
	}
}

void
batchinf_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(leave, 0);
	bi_slot_open();
	sweep_cxt = AllocSetContextCreate(TopMemoryContext, "batchinf sweep", ALLOCSET_SMALL_SIZES);

	for (;;)
	{
		TimestampTz now;
		TimestampTz next;

		obey_signals();
		now = GetCurrentTimestamp();
		if (now >= next_sweep)
			sweep(now);
		fill_slots();
		reap();
		/* Read the clock again: what the sweep has just made due is due now.  Otherwise it would
		 * be due at the next turn, and with a short sweep_interval never. */
		now = GetCurrentTimestamp();
		next = Min(start_visits(now), next_sweep);
		sleep_until(unseen == NIL ? next : now);
	}
}
