/*
 * worker/launcher.c: starts a visit in each database where work is due.
 *
 * Belongs to no database and reads no table but pg_database.  What it knows of due
 * times stands in the slots, and is lost without harm: every database is visited at
 * start and once a batchinf.sweep_interval.  It never waits for a visit, not even for
 * its start.  An error ends the process; the server starts it again.
 * Registered by _PG_init; must know nothing of what a visit does.
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
#define NO_WORKER_MS 5000		/* between two tries when no worker slot is free */
#define NO_WORKER_OVER_MS 60000 /* without a try that failed: the lack is over */
#define RESTART_S 5

static MemoryContext sweep_cxt = NULL;
static List *unseen = NIL;		/* databases of the last sweep that have found no slot yet */
static TimestampTz next_sweep = 0;
static BackgroundWorkerHandle *started[BI_SHMEM_SLOTS];
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

/* Can it be connected to, and is it no template? */
static bool
is_visitable(Form_pg_database database)
{
	return database->datallowconn && !database->datistemplate &&
		database->datconnlimit != BI_DATCONNLIMIT_INVALID;
}

/* The same of one that may be gone.  In a transaction of its own. */
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

/* The oids of all databases to visit, in the current context. */
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

/* From now on every database is due, and those that are gone are forgotten. */
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
	next_sweep = TimestampTzPlusMilliseconds(now, bi_guc_sweep_interval * INT64CONST(1000));
}

/* Gives slots to the databases that wait for one. */
static void
fill_slots(void)
{
	while (unseen != NIL && bi_slot_add(llast_oid(unseen)))
		unseen = list_delete_last(unseen);
}

/* A worker that ended before it came to its slot has failed. */
static void
reap(void)
{
	for (int i = 0; i < BI_SHMEM_SLOTS; i++)
	{
		pid_t		pid;

		if (started[i] == NULL || GetBackgroundWorkerPid(started[i], &pid) != BGWH_STOPPED)
			continue;
		bi_slot_not_started(i, true);
		pfree(started[i]);
		started[i] = NULL;
	}
}

/* Asks for one visit; false: there is no free worker slot. */
static bool
start_visit(int slot, Oid database)
{
	BackgroundWorker worker;

	if (started[slot] != NULL)
		pfree(started[slot]);
	started[slot] = NULL;
	bi_visit_describe(&worker, database, MyProcPid);
	if (RegisterDynamicBackgroundWorker(&worker, &started[slot]))
		return true;
	bi_slot_not_started(slot, false);
	if (TimestampDifferenceExceeds(no_worker_at, GetCurrentTimestamp(), NO_WORKER_OVER_MS))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start a batchinf visit: no background worker slot is free"),
				 errdetail("It is tried again until there is one."),
				 errhint("You might need to increase max_worker_processes.")));
	no_worker_at = GetCurrentTimestamp();
	return false;
}

/* Starts what is due; answers when to do so again. */
static TimestampTz
start_visits(TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	Oid			database;
	int			slot;

	if (!bi_guc_enabled)
		return DT_NOEND;
	while ((slot = bi_slot_pick(bi_guc_max_visits, now, &database, &next)) >= 0)
	{
		/* A visit would fail there: it is looked at again later and later. */
		if (!is_still_visitable(database))
			bi_slot_not_started(slot, true);
		else if (!start_visit(slot, database))
			return TimestampTzPlusMilliseconds(now, NO_WORKER_MS);
	}
	return next;
}

static void
sleep_until(TimestampTz next)
{
	long		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);

	ms = Min(Max(ms, SLEEP_MIN_MS), SLEEP_MAX_MS);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
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
	/* Exit code 1: after pg_terminate_backend the server starts it again. */
	if (ProcDiePending)
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		next_sweep = Min(next_sweep, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
																 bi_guc_sweep_interval * INT64CONST(1000)));
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
		/* What the sweep has just made due is due now, not at the next turn: with a short
		 * sweep_interval each turn would put it off once more. */
		now = GetCurrentTimestamp();
		next = Min(start_visits(now), next_sweep);
		sleep_until(unseen == NIL ? next : now);
	}
}
