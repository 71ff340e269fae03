/*
 * store/owner.c: with whose rights a job's rows are written, and how code of theirs is run.
 *
 * An UPDATE runs code: triggers, constraints, policies, index expressions, domains.  The owner
 * of a table decides which.  It runs with the rights of the job's owner, as in a session of
 * theirs, but in a security-restricted operation: nothing is left to run later with the worker's
 * rights.
 *
 * That does not contain a superuser: in a restricted operation code that runs as a superuser may
 * still ALTER ROLE.  So a superuser's job on a table of an ordinary role is written as that role
 * (model: SwitchToUntrustedUser of logical replication).
 *
 * The tables whose code runs are the target, its partitions and inheritance children, and the
 * tables whose foreign keys follow a change of them (ON UPDATE CASCADE, SET NULL, SET DEFAULT; the
 * same ON DELETE where rows are deleted): AFTER triggers of those run as the role of the UPDATE.
 * All are locked as the UPDATE locks
 * them: nobody adds a trigger or a foreign key, or changes an owner, between the look and the
 * UPDATE.  Views and foreign tables have more owners: see reading.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "base/compat.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "store/kind.h"
#include "store/owner.h"
#include "store/reading.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

static bool
follows_update(Oid function)
{
	return function == F_RI_FKEY_CASCADE_UPD || function == F_RI_FKEY_SETNULL_UPD ||
		function == F_RI_FKEY_SETDEFAULT_UPD;
}

static bool
follows_delete(Oid function)
{
	return function == F_RI_FKEY_CASCADE_DEL || function == F_RI_FKEY_SETNULL_DEL ||
		function == F_RI_FKEY_SETDEFAULT_DEL;
}

/* Returns the tables whose rows change with a key of rel; deletes: or are deleted with rows. */
static List *
followers(Relation rel, bool deletes)
{
	TriggerDesc *triggers = rel->trigdesc;
	List	   *tables = NIL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (follows_update(trigger->tgfoid) || (deletes && follows_delete(trigger->tgfoid)))
			tables = lappend_oid(tables, trigger->tgconstrrelid);
	}
	return tables;
}

List *
bi_owner_followers(Oid target)
{
	Relation	rel = relation_open(target, AccessShareLock);
	List	   *tables = NIL;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (follows_delete(trigger->tgfoid))
			tables = list_append_unique_oid(tables, trigger->tgconstrrelid);
	}
	relation_close(rel, AccessShareLock);
	return tables;
}

/* Adds those of the roles that are no superusers. */
static List *
add_ordinary(List *owners, const List *roles)
{
	ListCell   *cell;

	foreach(cell, roles)
		if (!superuser_arg(lfirst_oid(cell)))
			owners = list_append_unique_oid(owners, lfirst_oid(cell));
	return owners;
}

/* Returns the owners, other than superusers, of all tables whose code a write to target runs. */
static List *
ordinary_owners(Oid target, bool deletes)
{
	List	   *tables = list_make1_oid(target);
	List	   *owners = NIL;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	rel = try_relation_open(lfirst_oid(cell), RowExclusiveLock);

		if (rel == NULL)
			continue;
		if (rel->rd_rel->relkind == RELKIND_VIEW && RelationGetRelid(rel) == target)
			bi_kind_check(rel, "update");	/* its trigger may have been dropped before the lock */
		owners = add_ordinary(owners, list_make1_oid(rel->rd_rel->relowner));
		owners = add_ordinary(owners, bi_reading_owners(rel, RelationGetRelid(rel) == target));
		tables = list_concat_unique_oid(tables, bi_reading_tables(rel));
		tables = list_concat_unique_oid(tables, followers(rel, deletes));
		tables = list_concat_unique_oid(tables,
										find_inheritance_children(RelationGetRelid(rel),
																  RowExclusiveLock));
		relation_close(rel, NoLock);
	}
	return owners;
}

/* Returns the roles' names, quoted and with commas between. */
static char *
list_names(const List *roles)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, roles)
		appendStringInfo(&names, "%s\"%s\"", foreach_current_index(cell) ? ", " : "",
						 GetUserNameFromId(lfirst_oid(cell), false));
	return names.data;
}

/* Returns what of a target may belong to others than its owner, for a message. */
static const char *
describe_others(Oid target)
{
	switch (get_rel_relkind(target))
	{
		case RELKIND_VIEW:
			return "Views or foreign tables that it reads, or functions of its triggers, belong";
		case RELKIND_FOREIGN_TABLE:
			return "Its server belongs";
		default:
			return "Partitions, child tables or tables whose foreign keys follow it belong";
	}
}

Oid
bi_owner_writer(Oid owner, Oid target, bool deletes)
{
	List	   *owners;

	if (!superuser_arg(owner))
		return owner;
	owners = ordinary_owners(target, deletes);
	if (owners == NIL)
		return owner;
	if (list_length(owners) > 1 || linitial_oid(owners) != bi_target_owner(target))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot write to \"%s\" for a superuser", bi_target_name(target)),
				 errdetail("%s to other roles that are not superusers: %s.",
						   describe_others(target), list_names(owners)),
				 errhint("Give all of them one owner, or submit the job as an ordinary role.")));
	return linitial_oid(owners);
}

static void
set_for_write(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Settings by which any role could end the process, and with it the transfers of others: each
 * error would be fatal, or the transaction would run out of time. */
static const char *const deadly[] = {"exit_on_error", "transaction_timeout"};

/* Lets nobody set the deadly settings (PGC_INTERNAL), or everybody again.  Neither SET changes
 * an internal one, nor RESET ALL, which checks no rights. */
static void
set_deadly(GucContext context)
{
	int			count;
	struct config_generic **settings = bi_guc_variables(&count);

	for (int i = 0; i < count; i++)
		for (int j = 0; j < lengthof(deadly); j++)
			if (strcmp(settings[i]->name, deadly[j]) == 0)
				settings[i]->context = context;
}

/* Returns how many objects are in the session's temporary schema. */
static int
count_temporary(void)
{
	ScanKeyData key[2];
	Relation	depend;
	SysScanDesc scan;
	Oid			schema;
	Oid			toast;
	int			n = 0;

	GetTempNamespaceState(&schema, &toast);
	if (!OidIsValid(schema))
		return 0;
	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(systable_getnext(scan)))
		n++;
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return n;
}

/* Raises an error if the temporary schema has more objects than before. */
static void
refuse_temporary(int before, const char *what)
{
	if (count_temporary() > before)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot create an object in a temporary schema in a %s", what)));
}

/*
 * Runs a statement, and raises an error if its code has left an object in pg_temp.  A type,
 * function or operator there would stay in the session, where the code of others would meet it.
 * The restricted operation itself refuses only tables (and types, in newer minor releases).
 */
static int64
run_checked(const char *sql, const BiArgs *args)
{
	int			before = count_temporary();
	int64		n = bi_sql_run_as_is(sql, args);

	refuse_temporary(before, "write-back");
	return n;
}

/* How many calls of call_as are nested: a query may call batch_refresh. */
static int	nested = 0;

/* Runs code(arg) as role.  releases: whatever advisory locks the session has then, the code has
 * taken. */
static void
call_as(Oid role, void (*code) (void *arg), void *arg, bool releases)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(role, context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	if (nested++ == 0)
		set_deadly(PGC_INTERNAL);
	PG_TRY();
	{
		code(arg);
	}
	PG_FINALLY();
	{
		if (--nested == 0)
			set_deadly(PGC_USERSET);
		/* No subtransaction releases advisory locks of the session, and only the statement's
		 * code can have taken one: see bi_owner_check_session. */
		if (releases)
			LockReleaseSession(USER_LOCKMETHOD);
	}
	PG_END_TRY();
	SetUserIdAndSecContext(user, context);
}

void
bi_owner_call(Oid role, void (*code) (void *arg), void *arg)
{
	int			before = count_temporary();

	call_as(role, code, arg, MyBgworkerEntry != NULL);
	if (MyBgworkerEntry != NULL)
		refuse_temporary(before, "refresh");
}

/* A statement that is to be run. */
typedef struct Statement
{
	const BiCarried *carried;
	const char *sql;
	const BiArgs *args;
	int64		n;				/* rows that it processed */
} Statement;

static void
run_statement(void *arg)
{
	Statement  *statement = arg;

	bi_carry_apply(statement->carried);
	statement->n = run_checked(statement->sql, statement->args);
}

int64
bi_owner_run(Oid role, const BiCarried *carried, const char *sql, const BiArgs *args, int lock_ms)
{
	Statement	statement = {carried, sql, args, 0};
	int			level = NewGUCNestLevel();

	set_for_write("search_path", "pg_catalog, pg_temp");
	set_for_write("lock_timeout", psprintf("%d", lock_ms));
	call_as(role, run_statement, &statement, true);
	AtEOXact_GUC(false, level);
	return statement.n;
}

int64
bi_owner_run_in_session(Oid role, const BiCarried *carried, const char *sql, const BiArgs *args)
{
	Statement	statement = {carried, sql, args, 0};
	int			level = NewGUCNestLevel();

	set_for_write("search_path", "pg_catalog, pg_temp");
	set_for_write("row_security", "on");
	call_as(role, run_statement, &statement, MyBgworkerEntry != NULL);
	AtEOXact_GUC(false, level);
	return statement.n;
}

void
bi_owner_check_session(void)
{
	char	   *cursor;

	bi_sql_run("SELECT EXISTS (SELECT FROM pg_locks"
			   "  WHERE locktype = 'advisory' AND pid = pg_backend_pid()),"
			   " (SELECT name FROM pg_cursors WHERE is_holdable LIMIT 1)", NULL);
	if (bi_sql_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on in a session that holds advisory locks"),
				 errdetail("Code of the jobs' owners may take advisory locks, and all of the"
						   " session are released after it."),
				 errhint("Use pg_advisory_unlock_all(), or another session.")));
	cursor = bi_sql_text(CurrentMemoryContext, 0, 2);
	if (cursor)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on in a session that has a cursor WITH HOLD"),
				 errdetail("Code of the jobs' owners could read cursor \"%s\".", cursor),
				 errhint("Close the cursor, or use another session.")));
}
