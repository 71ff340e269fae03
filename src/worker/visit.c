/*
 * worker/visit.c: one stay in one database: connect, do what is due, leave.
 *
 * Knows when to come, to wait after an error and to go; what there is to do it leaves to
 * engine/drive.c.  Holds no transaction, lock or snapshot while it waits.  Started by
 * launcher.c or, where the library is not preloaded, by a session at commit (wake.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/backoff.h"
#include "base/compat.h"
#include "base/guc.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "common/pg_prng.h"
#include "engine/drive.h"
#include "engine/remains.h"
#include "engine/settings.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/slot.h"
#include "worker/version.h"
#include "worker/visit.h"

#define LINGER_MS 5000			/* not worth another process */
#define LOOK_MS 5000			/* is the extension still there? */

/* A visit that is not there by the launcher's wish says in its application_name whether
 * work that comes now will be seen by it. */
static const char *const visit_name = "batchinf visit";
static const char *const last_look_name = "batchinf visit, leaving";

static TimestampTz next_look = 0;
static bool extension_lost = false;
static bool closed = false;		/* … only because nobody may connect here now */
static int	faults = 0;			/* visits in a row that an error has ended; launched ones: see slot.c */

void
bi_visit_describe(BackgroundWorker *worker, Oid database, pid_t notify)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION | BI_BGWORKER_INTERRUPTIBLE;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "batchinf", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, "batchinf_visit_main", sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, visit_name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, visit_name, sizeof(worker->bgw_type));
	worker->bgw_main_arg = ObjectIdGetDatum(database);
	worker->bgw_notify_pid = notify;
}

/* Is this database open to connections still, and no template? */
static bool
is_open(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Form_pg_database database = HeapTupleIsValid(tuple) ? (Form_pg_database) GETSTRUCT(tuple) : NULL;
	bool		is = database && database->datallowconn && !database->datistemplate;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return is;
}

/* Is our extension there, in the version of this library and in a database that is open?  In a
 * transaction of its own, and with the caller's memory context at the end. */
static bool
find_extension(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	char	   *why;
	bool		found;

	StartTransactionCommand();
	closed = !is_open();
	found = !closed && bi_version_found(&why);
	if (found && why)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batchinf does no work in database \"%s\"", get_database_name(MyDatabaseId)),
				 errdetail_internal("%s", why),
				 errhint(BI_VERSION_HINT)));
	found = found && why == NULL;
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	return found;
}

/* Is it time to go, whatever there is to do?  Asked while no transaction is open. */
static bool
leave_now(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		bi_settings_force(GUC_ACTION_SET);
	}
	if (!extension_lost && !IsTransactionState() && GetCurrentTimestamp() >= next_look)
		extension_lost = !find_extension();
	return extension_lost || !bi_guc_enabled || bi_slot_held();
}

/* The same for bi_drive. */
static bool
leave_drive(void)
{
	return leave_now() || bi_remains_too_much();
}

static bool
never(void)
{
	return false;
}

/* Waits after the last error, unless it is time to leave. */
static void
wait_after_error(bool (*leave) (void))
{
	int64		ms = bi_backoff_ms(5000, 2.0, 300000, faults - 1, pg_prng_double(&pg_global_prng_state));
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	while (!leave() && (ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end)) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(ms, LOOK_MS), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* What bi_drive threw, in the current context; the transaction is undone. */
static ErrorData *
clean_up_error(MemoryContext cxt)
{
	ErrorData  *error;

	MemoryContextSwitchTo(cxt);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	LWLockReleaseAll();
	pgstat_report_wait_end();
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(cxt);
	return error;
}

/* One call of bi_drive; NULL, or the error that came out of it. */
static ErrorData *
drive(const BiDrive *wish, MemoryContext cxt, TimestampTz *next)
{
	ErrorData  *volatile error = NULL;

	MemoryContextReset(cxt);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		*next = bi_drive(wish);
	}
	PG_CATCH();
	{
		error = clean_up_error(cxt);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	return error;
}

/* A look that fails too leaves the question open: false. */
static bool
is_extension_gone(MemoryContext cxt)
{
	volatile bool gone = false;

	PG_TRY();
	{
		gone = !find_extension();
	}
	PG_CATCH();
	{
		(void) clean_up_error(cxt);
	}
	PG_END_TRY();
	return gone;
}

/* Where there is no launcher a visit that ends by an error asks for the next one itself.  That one
 * waits before it connects: it needs nothing of what this process still holds. */
static bool
ask_for_next(void)
{
	BackgroundWorker worker;

	bi_visit_describe(&worker, MyDatabaseId, 0);
	snprintf(worker.bgw_extra, sizeof(worker.bgw_extra), "%d", faults);
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* Code of owners has left much memory in use.  True if a fresh process goes on. */
static bool
make_room(void)
{
	pgstat_report_appname(last_look_name);
	if (bi_slot_present() || ask_for_next())
	{
		ereport(LOG,
				(errmsg("batchinf visit makes room for a fresh process"),
				 errdetail("Code of the jobs' owners has left much memory in use.")));
		return true;
	}
	pgstat_report_appname(visit_name);
	bi_remains_forget();
	return false;
}

/*
 * An error that belongs to no chunk ends this process, for what causes it may be in the
 * process, and a fresh one goes on.  This one waits and goes on only where no other can be
 * had: there is neither a launcher nor a free worker slot.  An extension that was just
 * dropped is no error.
 */
static void
take_error(ErrorData *error, MemoryContext cxt)
{
	if (is_extension_gone(cxt))
	{
		extension_lost = true;
		return;
	}
	faults++;
	if (bi_slot_present() || ask_for_next())
		ReThrowError(error);
	error->elevel = LOG;
	ThrowErrorData(error);
	pgstat_report_activity(STATE_IDLE, "waiting after an error");
	wait_after_error(leave_now);
}

/* Works until there is no more to do here; answers when there will be (DT_NOEND: no
 * more), or that it has to leave. */
static TimestampTz
stay(void)
{
	BiDrive		wish = {.mode = BI_XACT_WORKER, .until = DT_NOEND, .leave = leave_drive};
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "batchinf visit", ALLOCSET_DEFAULT_SIZES);
	bool		last_look = false;

	wish.linger_ms = bi_slot_present() ? LINGER_MS : -1;
	for (;;)
	{
		TimestampTz next = GetCurrentTimestamp();
		ErrorData  *error;

		(void) bi_slot_take_wake();
		error = drive(&wish, cxt, &next);
		if (error != NULL)
			take_error(error, cxt);
		else
			faults = 0;
		if (leave_now())
			return extension_lost && !closed ? DT_NOEND : GetCurrentTimestamp();
		if (bi_remains_too_much() && make_room())
			return GetCurrentTimestamp();
		if (error != NULL || bi_slot_take_wake())
			continue;
		if (bi_slot_present() || last_look)
			return next;
		last_look = true;
		pgstat_report_appname(last_look_name);
	}
}

/* Is that process a visit that will see what is due now? */
static bool
is_staying_visit(const PgBackendStatus *entry)
{
	const char *type;

	if (entry->st_procpid == MyProcPid || entry->st_procpid == 0 || entry->st_databaseid != MyDatabaseId ||
		strcmp(entry->st_appname, visit_name) != 0)
		return false;
	type = GetBackgroundWorkerTypeByPid(entry->st_procpid);
	return type != NULL && strcmp(type, visit_name) == 0;
}

/* Without a launcher two sessions may have asked: the visit that came first stays. */
static bool
another_stays(void)
{
	bool		found = false;

	StartTransactionCommand();
	for (int i = 1; !found && i <= pgstat_fetch_stat_numbackends(); i++)
	{
		const PgBackendStatus *entry = &bi_local_beentry(i)->backendStatus;

		if (!is_staying_visit(entry) || entry->st_proc_start_timestamp > MyStartTimestamp ||
			(entry->st_proc_start_timestamp == MyStartTimestamp && entry->st_procpid > MyProcPid))
			continue;
		bi_slot_poke(entry->st_procpid);
		found = true;
	}
	CommitTransactionCommand();
	return found;
}

static void
give_up(int code, Datum arg)
{
	bi_slot_give_up();
}

void
batchinf_visit_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	TimestampTz next = DT_NOEND;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!bi_slot_attach(database))
		proc_exit(0);
	before_shmem_exit(give_up, 0);
	faults = (int) strtol(MyBgworkerEntry->bgw_extra, NULL, 10);
	if (faults > 0)
		wait_after_error(never);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	bi_settings_force(GUC_ACTION_SET);
	bi_remains_own_process();
	pgstat_report_appname(visit_name);
	pgstat_report_activity(STATE_RUNNING, "looking for due work");

	extension_lost = !find_extension();
	if (!extension_lost && (bi_slot_present() || !another_stays()))
		next = stay();
	bi_slot_detach(next);
	proc_exit(0);
}
