/*
 * store/owner.c: with whose rights a job's rows are written, and how code of theirs is run.
 *
 * An UPDATE runs code: triggers, constraints, policies, index expressions, domains.  Whoever
 * owns a table decides which.  It runs with the rights of the job's owner, as in a session of
 * theirs, but in a security-restricted operation: nothing is left to run later with the worker's
 * rights.  That does not contain a superuser.  In a restricted operation the code of a table's
 * owner may still ALTER ROLE if it runs as a superuser.  So a superuser's job on a table of an
 * ordinary role is written as that role (model: SwitchToUntrustedUser of logical replication).
 *
 * The tables whose code runs are the target, its partitions and inheritance children, and the
 * tables whose foreign keys follow a change of them (ON UPDATE CASCADE, SET NULL, SET DEFAULT):
 * AFTER triggers of those run as the role of the UPDATE.  All are locked as the UPDATE locks
 * them: nobody adds a trigger or a foreign key, or changes an owner, between the look and the
 * UPDATE.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "base/compat.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "store/owner.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

/* Returns the tables whose rows change with a key of rel. */
static List *
followers(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;
	List	   *tables = NIL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == F_RI_FKEY_CASCADE_UPD || trigger->tgfoid == F_RI_FKEY_SETNULL_UPD ||
			trigger->tgfoid == F_RI_FKEY_SETDEFAULT_UPD)
			tables = lappend_oid(tables, trigger->tgconstrrelid);
	}
	return tables;
}

/* Returns the owners, other than superusers, of all tables whose code a write to target runs. */
static List *
ordinary_owners(Oid target)
{
	List	   *tables = list_make1_oid(target);
	List	   *owners = NIL;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	rel = try_relation_open(lfirst_oid(cell), RowExclusiveLock);

		if (rel == NULL)
			continue;
		if (!superuser_arg(rel->rd_rel->relowner))
			owners = list_append_unique_oid(owners, rel->rd_rel->relowner);
		tables = list_concat_unique_oid(tables, followers(rel));
		tables = list_concat_unique_oid(tables, find_inheritance_children(RelationGetRelid(rel), RowExclusiveLock));
		relation_close(rel, NoLock);
	}
	return owners;
}

static Oid
owner_of(Oid target)
{
	Relation	rel = try_relation_open(target, NoLock);
	Oid			owner = rel ? rel->rd_rel->relowner : InvalidOid;

	if (rel)
		relation_close(rel, NoLock);
	return owner;
}

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

Oid
bi_owner_writer(Oid owner, Oid target)
{
	List	   *owners;

	if (!superuser_arg(owner))
		return owner;
	owners = ordinary_owners(target);
	if (owners == NIL)
		return owner;
	if (list_length(owners) > 1 || linitial_oid(owners) != owner_of(target))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot write to \"%s\" for a superuser", bi_target_name(target)),
				 errdetail("Partitions, child tables or tables whose foreign keys follow it belong to other roles"
						   " that are no superusers: %s.", list_names(owners)),
				 errhint("Give all of them one owner, or submit the job as an ordinary role.")));
	return linitial_oid(owners);
}

static void
set_for_write(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* With these any role could end the process, and with it the transfers of others: each error
 * would be fatal, or the transaction out of time. */
static const char *const deadly[] = {"exit_on_error", "transaction_timeout"};

/* As PGC_INTERNAL no SET changes them, and no RESET ALL, which asks for no rights. */
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

/* A type, function or operator in pg_temp would stay in the session, for the code of others to
 * meet.  The restricted operation refuses tables only (types too, in newer minor releases). */
static int64
run_checked(const char *sql, const BiArgs *args)
{
	int			before = count_temporary();
	int64		n = bi_sql_run_as_is(sql, args);

	if (count_temporary() > before)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot create an object in a temporary schema in a write-back")));
	return n;
}

int64
bi_owner_run(Oid role, const BiCarried *carried, const char *sql, const BiArgs *args, int lock_ms)
{
	Oid			user;
	int			context;
	int			level = NewGUCNestLevel();
	volatile int64 n = 0;

	GetUserIdAndSecContext(&user, &context);
	set_for_write("search_path", "pg_catalog, pg_temp");
	set_for_write("lock_timeout", psprintf("%d", lock_ms));
	SetUserIdAndSecContext(role, context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	set_deadly(PGC_INTERNAL);
	PG_TRY();
	{
		bi_carry_apply(carried);
		n = run_checked(sql, args);
	}
	PG_FINALLY();
	{
		set_deadly(PGC_USERSET);
		/* No subtransaction gives these back, and nobody else in the session holds one. */
		LockReleaseSession(USER_LOCKMETHOD);
	}
	PG_END_TRY();
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
	return n;
}

void
bi_owner_check_session(void)
{
	bi_sql_run("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),"
			   " (SELECT name FROM pg_cursors WHERE is_holdable LIMIT 1)", NULL);
	if (bi_sql_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on in a session that holds advisory locks"),
				 errdetail("Code of the jobs' owners may take some, and all of the session are released after it."),
				 errhint("Use pg_advisory_unlock_all(), or another session.")));
	if (bi_sql_text(CurrentMemoryContext, 0, 2))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch jobs cannot be worked on in a session that has a cursor WITH HOLD"),
				 errdetail("Code of the jobs' owners could read cursor \"%s\".", bi_sql_text(CurrentMemoryContext, 0, 2)),
				 errhint("Close it, or use another session.")));
}
