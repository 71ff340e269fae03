/*
 * worker/visit.c: one stay of a worker in one database: connect, do what is due, leave.
 *
 * A database may have several visits at a time.  They share its chunks by their claims; the one
 * that came first polls.
 *
 * Knows when to come, how long to wait after an error, and when to leave.  What is to be done there
 * is engine/drive.c's.  A visit holds no transaction, lock or snapshot while it waits.
 *
 * The launcher starts visits.  If the library is not preloaded there is no launcher: then a session
 * starts one at commit (wake.c), it stays until no work is left, and before it leaves it looks once
 * more.  Its application_name says which of the two it does, so that a second visit knows whether
 * the first one will see the work that comes now.
 *
 * An error that belongs to no chunk ends the process, and a fresh one goes on.
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
#include "worker/pipelines.h"
#include "worker/shmem.h"
#include "worker/slot.h"
#include "worker/version.h"
#include "worker/visit.h"
#include "worker/visitor.h"

/* Wait here for work that is due within this time: it is not worth a new process. */
#define LINGER_MS 5000

/* Look this often whether the extension is still there. */
#define LOOK_MS 5000

/* The two application_names, see above. */
static const char *const visit_name = "batchinf visit";
static const char *const last_look_name = "batchinf visit, leaving";

static TimestampTz next_look = 0;
static bool extension_lost = false; /* no work may be done in this database any more */
static bool closed = false;		/* the database takes no connections now */

/* The polls of this database: as in BiDrive. */
static TimestampTz polled_until = 0;
static bool polls_here = false;

/* Without a launcher: how many visits in a row were ended by an error.  Slots count those of a
 * launcher. */
static int	faults = 0;

void
bi_visit_describe(BackgroundWorker *worker, Oid database, pid_t notify)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION |
		BI_BGWORKER_INTERRUPTIBLE;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "batchinf", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, "batchinf_visit_main", sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, visit_name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, visit_name, sizeof(worker->bgw_type));
	worker->bgw_main_arg = ObjectIdGetDatum(database);
	worker->bgw_notify_pid = notify;
}

/* True if this database still takes connections and is no template. */
static bool
is_open(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Form_pg_database database;
	bool		is;

	if (!HeapTupleIsValid(tuple))
		return false;
	database = (Form_pg_database) GETSTRUCT(tuple);
	is = database->datallowconn && !database->datistemplate;
	ReleaseSysCache(tuple);
	return is;
}

/* True if the database is open and has our extension, in the version of this library.  Uses a
 * transaction of its own, and keeps the current memory context. */
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
				 errmsg("batchinf does no work in database \"%s\"",
						get_database_name(MyDatabaseId)),
				 errdetail_internal("%s", why),
				 errhint(BI_VERSION_HINT)));
	found = found && why == NULL;
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	return found;
}

/* True if the visit must leave, whatever there is to do.  No transaction may be open. */
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
	return extension_lost || !bi_guc_enabled || bi_visitor_held();
}

/* The same for bi_drive, which also ends if owners' code has used up much memory. */
static bool
leave_drive(void)
{
	return leave_now() || bi_remains_too_much();
}

/* What others want of it is seen by the look that follows. */
static void
go_looking(void)
{
	(void) bi_visitor_take_wake();
}

/* Other visits may have polled while this one did not. */
static bool
polls(void)
{
	bool		is_first = bi_visitor_is_first();

	if (is_first && !polls_here)
		polled_until = bi_visitor_polled_until();
	polls_here = is_first;
	return is_first;
}

static const BiDriveHost host = {
	.leave = leave_drive,
	.drain = bi_visitor_must_yield,
	.is_wanted = bi_visitor_is_woken,
	.go_looking = go_looking,
	.busy = bi_visitor_busy,
	.rests = bi_visitor_rests,
	.set_load = bi_visitor_set_load,
	.has_company = bi_visitor_has_company,
	.helps = bi_visitor_helps,
	.has_freer = bi_visitor_has_freer,
	.hand_over = bi_visitor_hand_over,
	.polls = polls,
	.wake_others = bi_visitor_wake_others,
	.begin_code = bi_visitor_begin_code,
	.end_code = bi_visitor_end_code,
};

static bool
never(void)
{
	return false;
}

/* Waits after the last error, longer each time, unless leave says that it is time to leave. */
static void
wait_after_error(bool (*leave) (void))
{
	int64		ms = bi_backoff_ms(5000, 2.0, 300000, faults - 1,
								   pg_prng_double(&pg_global_prng_state));
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	while (!leave() && (ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end)) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(ms, LOOK_MS), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Returns the error that was raised, in cxt, and rolls its transaction back. */
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

/* Calls bi_drive once; *next is its result.  Returns NULL, or the error that it raised, in cxt. */
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

/* True if it is certain that the extension is gone.  If the look fails too, it is not. */
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

/* Asks for the next visit, where there is no launcher to do it.  That one waits before it connects,
 * because this process still holds what it needs.  False if no worker slot is free. */
static bool
ask_for_next(void)
{
	BackgroundWorker worker;

	bi_visit_describe(&worker, MyDatabaseId, 0);
	snprintf(worker.bgw_extra, sizeof(worker.bgw_extra), "%d", faults);
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* The code of jobs' owners has left much memory in use.  True if a fresh process goes on; otherwise
 * this one does. */
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
 * Acts on an error that belongs to no chunk.  What causes it may be in this process.  So it raises
 * the error, which ends the process, and a fresh one goes on.  Only if no other one can be had
 * (there is neither a launcher nor a free worker slot) this one waits and goes on.  If the
 * extension was just dropped, that is no error.
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

/* Works until nothing is left to do here, or the visit must leave.  Returns when there is work
 * again; DT_NOEND: not before somebody says so. */
static TimestampTz
stay(void)
{
	BiDrive		wish = {
		.mode = BI_XACT_WORKER, .until = DT_NOEND, .host = &host, .refresh = bi_pipelines_refresh
	};
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "batchinf visit",
											  ALLOCSET_DEFAULT_SIZES);
	bool		last_look = false;

	wish.polled_until = &polled_until;
	wish.linger_ms = bi_slot_present() ? LINGER_MS : -1;
	for (;;)
	{
		TimestampTz next = GetCurrentTimestamp();
		ErrorData  *error;

		(void) bi_visitor_take_wake();
		error = drive(&wish, cxt, &next);
		if (polls_here)
			bi_visitor_set_polled_until(polled_until);
		if (error != NULL)
			take_error(error, cxt);
		else
			faults = 0;
		if (leave_now())
			return extension_lost && !closed ? DT_NOEND : GetCurrentTimestamp();
		if (bi_visitor_must_yield() || (bi_remains_too_much() && make_room()))
			return GetCurrentTimestamp();
		if (error != NULL || bi_visitor_take_wake())
			continue;
		if (bi_slot_present() || last_look)
			return next;
		last_look = true;
		pgstat_report_appname(last_look_name);
	}
}

/* True if that process is another visit of this database that will see what is due now. */
static bool
is_staying_visit(const PgBackendStatus *entry)
{
	const char *type;

	if (entry->st_procpid == MyProcPid || entry->st_procpid == 0 ||
		entry->st_databaseid != MyDatabaseId || strcmp(entry->st_appname, visit_name) != 0)
		return false;
	type = GetBackgroundWorkerTypeByPid(entry->st_procpid);
	return type != NULL && strcmp(type, visit_name) == 0;
}

/* Without a launcher two sessions may have asked for a visit.  The visit that came first stays.
 * True if this one is not the first; the first one is woken. */
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
		bi_shmem_poke(entry->st_procpid);
		found = true;
	}
	CommitTransactionCommand();
	return found;
}

static void
give_up(int code, Datum arg)
{
	bi_visitor_give_up();
}

/*
 * Sets how long libpq waits for a connection, where neither the server's options nor the
 * environment say it: code of owners makes connections, by postgres_fdw and dblink, and below
 * PostgreSQL 16 nothing can interrupt that.  libpq takes whole seconds, two at least.
 */
static void
limit_connections(void)
{
	char		seconds[16];

	snprintf(seconds, sizeof(seconds), "%d", Max(bi_guc_connect_timeout / 1000, 2));
	setenv("PGCONNECT_TIMEOUT", seconds, 0);
}

void
batchinf_visit_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	TimestampTz next = DT_NOEND;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!bi_visitor_attach(database))
		proc_exit(0);
	before_shmem_exit(give_up, 0);
	faults = (int) strtol(MyBgworkerEntry->bgw_extra, NULL, 10);
	if (faults > 0)
		wait_after_error(never);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	bi_settings_force(GUC_ACTION_SET);
	bi_remains_own_process();
	limit_connections();
	pgstat_report_appname(visit_name);
	pgstat_report_activity(STATE_RUNNING, "looking for due work");

	extension_lost = !find_extension();
	if (!extension_lost && (bi_slot_present() || !another_stays()))
		next = stay();
	bi_visitor_detach(next);
	proc_exit(0);
}
