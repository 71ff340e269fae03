/*
 * worker/hook.c: sends the visit away before a statement that needs its database to
 * itself: DROP DATABASE, ALTER DATABASE RENAME and SET TABLESPACE, CREATE DATABASE
 * TEMPLATE.
 *
 * The visit is kept away until the transaction ends, by commit or abort; then it comes
 * back by itself.  Who may not do the statement cannot disturb a visit by it.
 * After ALTER EXTENSION UPDATE it is asked to come.  Installed by launcher.c; knows nothing
 * of what a visit does.
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

#define LEAVE_MS 500			/* it goes by itself at its next turn */
#define WAIT_MS 5000			/* after being terminated; then the statement tells what is in its way */
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

/* DEFAULT and no option at all are NULL. */
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

/* The database that stmt wants to itself, if the user may do that; else InvalidOid. */
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
	else if (IsA(stmt, AlterDatabaseStmt) && option_value(((AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
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
	return OidIsValid(database) && bi_database_ownercheck(database, GetUserId()) ? database : InvalidOid;
}

/* Waits until that process has left the database, timeout_ms at most. */
static bool
wait_until_gone(Oid database, pid_t visit, int timeout_ms)
{
	TimestampTz start = GetCurrentTimestamp();

	for (;;)
	{
		PGPROC	   *proc = BackendPidGetProc(visit);

		if (proc == NULL || proc->databaseId != database)
			return true;
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), timeout_ms))
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
send_away(Oid database, bool dropping)
{
	pid_t		visit;

	bi_wake_release_at_end();
	visit = bi_slot_hold(database, dropping);
	if (visit == 0 || wait_until_gone(database, visit, LEAVE_MS))
		return;
	bi_slot_terminate(database, visit);
	(void) wait_until_gone(database, visit, WAIT_MS);
}

static void
send_away_hook(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
			   ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *completion)
{
	/* The visit left when it saw another version: it is wanted again. */
	if (IsA(pstmt->utilityStmt, AlterExtensionStmt) && strcmp(((AlterExtensionStmt *) pstmt->utilityStmt)->extname, "batchinf") == 0)
		bi_wake_at_commit();
	if (IsUnderPostmaster && IsTransactionState() && !RecoveryInProgress())
	{
		bool		dropping;
		Oid			database = wanted_database(pstmt->utilityStmt, &dropping);

		if (OidIsValid(database))
			send_away(database, dropping);
	}
	if (prev_ProcessUtility)
		prev_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, completion);
}

void
bi_hook_install(void)
{
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = send_away_hook;
}
