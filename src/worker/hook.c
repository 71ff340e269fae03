/*
 * worker/hook.c: sends the visits away before a statement that needs their database to
 * itself: DROP DATABASE, ALTER DATABASE RENAME and SET TABLESPACE, CREATE DATABASE
 * TEMPLATE.
 *
 * They are kept away until the transaction commits or aborts; then they come back by themselves.  A
 * role that may not run the statement cannot disturb a visit by it.  After ALTER EXTENSION UPDATE
 * the hook asks for a visit.  Knows nothing of what a visit does.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/compat.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/hook.h"
#include "worker/slot.h"
#include "worker/wake.h"

/* A visit leaves by itself at its next turn.  After this time it is terminated. */
#define LEAVE_MS 500

/* After that it has this time.  Then the statement goes on, and reports what is in its way. */
#define WAIT_MS 5000
#define POLL_MS 20

static ProcessUtility_hook_type prev_ProcessUtility = NULL;

static bool
may_create_database(Oid role)
{
	HeapTuple	tuple;
	bool		may = superuser_arg(role);

	if (may)
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (HeapTupleIsValid(tuple))
	{
		may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

static bool
is_template(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool		is;

	if (!HeapTupleIsValid(tuple))
		return false;
	is = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	ReleaseSysCache(tuple);
	return is;
}

/* Returns the option's value; NULL if it is missing or DEFAULT. */
static const char *
option_value(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return option->arg == NULL ? NULL : defGetString(option);
	}
	return NULL;
}

/*
 * Returns the database that stmt needs to itself, if the user may run stmt; otherwise InvalidOid.
 */
static Oid
wanted_database(Node *stmt, bool *dropping)
{
	const char *name = NULL;
	Oid			database;

	*dropping = IsA(stmt, DropdbStmt);
	if (IsA(stmt, DropdbStmt))
		name = ((DropdbStmt *) stmt)->dbname;
	else if (IsA(stmt, RenameStmt) && ((RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) stmt)->subname;
	else if (IsA(stmt, AlterDatabaseStmt) &&
			 option_value(((AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
		name = ((AlterDatabaseStmt *) stmt)->dbname;
	else if (IsA(stmt, CreatedbStmt))
	{
		name = option_value(((CreatedbStmt *) stmt)->options, "template");
		database = get_database_oid(name == NULL ? "template1" : name, true);
		if (OidIsValid(database) && may_create_database(GetUserId()) &&
			(is_template(database) || bi_database_ownercheck(database, GetUserId())))
			return database;
		return InvalidOid;
	}
	database = name == NULL ? InvalidOid : get_database_oid(name, true);
	if (OidIsValid(database) && bi_database_ownercheck(database, GetUserId()))
		return database;
	return InvalidOid;
}

/* The visits of a database that must leave. */
typedef struct Visits
{
	Oid			database;
	pid_t		pids[BI_SHMEM_VISITS];
	int			n;
} Visits;

static bool
are_gone(const Visits *visits)
{
	for (int i = 0; i < visits->n; i++)
	{
		PGPROC	   *proc = BackendPidGetProc(visits->pids[i]);

		if (proc != NULL && proc->databaseId == visits->database)
			return false;
	}
	return true;
}

/* Waits until these visits have left the database, for at most timeout_ms.  True if they have. */
static bool
wait_until_gone(const Visits *visits, int timeout_ms)
{
	TimestampTz start = GetCurrentTimestamp();

	for (;;)
	{
		if (are_gone(visits))
			return true;
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), timeout_ms))
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Asks the visits of the database to leave, and terminates them if they do not. */
static void
send_away(Oid database, bool dropping)
{
	Visits		visits = {.database = database};

	bi_wake_release_at_end();
	visits.n = bi_slot_hold(database, dropping, visits.pids);
	if (wait_until_gone(&visits, LEAVE_MS))
		return;
	bi_slot_terminate(database);
	(void) wait_until_gone(&visits, WAIT_MS);
}

/* True for ALTER EXTENSION batchinf UPDATE. */
static bool
is_our_update(Node *stmt)
{
	return IsA(stmt, AlterExtensionStmt) &&
		strcmp(((AlterExtensionStmt *) stmt)->extname, "batchinf") == 0;
}

static void
send_away_hook(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
			   DestReceiver *dest, QueryCompletion *completion)
{
	/* A visit leaves when the versions differ.  It may come again now. */
	if (is_our_update(pstmt->utilityStmt))
		bi_wake_at_commit();
	if (IsUnderPostmaster && IsTransactionState() && !RecoveryInProgress())
	{
		bool		dropping;
		Oid			database = wanted_database(pstmt->utilityStmt, &dropping);

		if (OidIsValid(database))
			send_away(database, dropping);
	}
	if (prev_ProcessUtility)
		prev_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest,
							completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest,
								completion);
}

void
bi_hook_install(void)
{
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = send_away_hook;
}
