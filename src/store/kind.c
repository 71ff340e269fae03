/*
 * store/kind.c: which kinds of relation can be a target, and what is special about each.
 *
 * - Ordinary and partitioned tables: all modes.
 * - Foreign tables: "update" and "upsert".  The remote transaction commits before ours.  After a
 *   crash between the two the same answers are written again, which is harmless where a row is
 *   found by its key, but would insert a second row.  For the same reason no row may be moved into
 *   a foreign partition: such a move inserts.
 * - Views with an INSTEAD OF UPDATE trigger: "update".  Other views are refused, also those that
 *   PostgreSQL updates by itself: whoever means the table behind it can name that.
 * - A table with a rule that does something else instead is refused: no row would be written, and
 *   PostgreSQL could not return what was.
 *
 * Asked at batch_submit, and again for each group that is written.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "store/kind.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

/* Begins an error about the relation. */
#define REFUSE(code, rel, ...) \
	ereport(ERROR, \
			(errcode(code), \
			 errmsg("cannot write back to \"%s\"", RelationGetRelationName(rel)), __VA_ARGS__))

static const char *
kind_of_relation(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "a view";
		case RELKIND_MATVIEW:
			return "a materialized view";
		case RELKIND_SEQUENCE:
			return "a sequence";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "an index";
		case RELKIND_COMPOSITE_TYPE:
			return "a composite type";
		default:
			return "not a table";
	}
}

static bool
is_mode(const char *mode, const char *word)
{
	return strcmp(mode, word) == 0;
}

/* True if the relation has a rule for this event; instead: one that does something else instead. */
static bool
has_rule(Relation rel, CmdType event, bool instead)
{
	RuleLock   *rules = rel->rd_rules;

	for (int i = 0; rules && i < rules->numLocks; i++)
	{
		const RewriteRule *rule = rules->rules[i];

		if (rule->event == event && (rule->isInstead || !instead) &&
			rule->enabled != RULE_DISABLED && rule->enabled != RULE_FIRES_ON_REPLICA)
			return true;
	}
	return false;
}

/* PostgreSQL has the rules of the relation that a statement names: not those of partitions. */
static void
check_rules(Relation rel, const char *mode)
{
	if (is_mode(mode, "upsert") &&
		(has_rule(rel, CMD_INSERT, false) || has_rule(rel, CMD_UPDATE, false)))
		REFUSE(ERRCODE_FEATURE_NOT_SUPPORTED, rel,
			   errdetail("It has a rule for INSERT or UPDATE, and PostgreSQL has no INSERT … ON"
						 " CONFLICT for such tables."),
			   errhint("Make a trigger of the rule."));
	if (is_mode(mode, "replace") && has_rule(rel, CMD_DELETE, false))
		REFUSE(ERRCODE_FEATURE_NOT_SUPPORTED, rel,
			   errdetail("It has a rule for DELETE, and PostgreSQL cannot return what such a DELETE"
						 " has deleted."),
			   errhint("Make a trigger of the rule."));
	if ((is_mode(mode, "update") && has_rule(rel, CMD_UPDATE, true)) ||
		(!is_mode(mode, "update") && has_rule(rel, CMD_INSERT, true)))
		REFUSE(ERRCODE_WRONG_OBJECT_TYPE, rel,
			   errdetail("It has a rule that does something else instead of the write."),
			   errhint("Make a trigger of the rule."));
}

static void
check_view(Relation view, const char *mode)
{
	TriggerDesc *triggers = view->trigdesc;

	if (!triggers || !triggers->trig_update_instead_row || has_rule(view, CMD_UPDATE, false))
		REFUSE(ERRCODE_WRONG_OBJECT_TYPE, view,
			   errdetail("It is a view.  A target is an ordinary or partitioned table."),
			   errhint("Name the table behind the view, or give the view an INSTEAD OF UPDATE"
					   " trigger and no rule for UPDATE."));
	if (!is_mode(mode, "update"))
		REFUSE(ERRCODE_FEATURE_NOT_SUPPORTED, view,
			   errdetail("It is a view, which supports only write_mode => 'update'."));
}

/* Returns what the foreign table's wrapper can do: bits of (1 << CmdType), as the executor asks;
 * 0 if nothing. */
static int
foreign_events(Oid server, Relation rel)
{
	const ForeignDataWrapper *wrapper = GetForeignDataWrapper(GetForeignServer(server)->fdwid);
	FdwRoutine *routine;
	int			events;

	if (!OidIsValid(wrapper->fdwhandler))
		return 0;
	routine = GetFdwRoutineForRelation(rel, false);
	events = routine->ExecForeignUpdate ? 1 << CMD_UPDATE : 0;
	events |= routine->ExecForeignInsert ? 1 << CMD_INSERT : 0;
	return routine->IsForeignRelUpdatable ? events & routine->IsForeignRelUpdatable(rel) : events;
}

static void
check_foreign(Relation rel, const char *mode)
{
	Oid			server = GetForeignTable(RelationGetRelid(rel))->serverid;
	bool		upsert = is_mode(mode, "upsert");
	int			needed = 1 << CMD_UPDATE | (upsert ? 1 << CMD_INSERT : 0);

	if (!upsert && !is_mode(mode, "update"))
		REFUSE(ERRCODE_FEATURE_NOT_SUPPORTED, rel,
			   errdetail("It is a foreign table, where write_mode => '%s' could insert a row"
						 " twice: remote and local server do not commit together.", mode),
			   errhint("Foreign tables support write_mode => 'update' and 'upsert'."));
	if ((foreign_events(server, rel) & needed) != needed)
		REFUSE(ERRCODE_WRONG_OBJECT_TYPE, rel,
			   errdetail("It is a foreign table of server \"%s\", which does not let it be"
						 " written.", GetForeignServer(server)->servername));
}

/* Returns the partitions and inheritance children of all levels, with rel itself.  Waits for no
 * lock, so that some may be gone. */
static List *
family(Relation rel)
{
	if (!rel->rd_rel->relhassubclass)
		return list_make1_oid(RelationGetRelid(rel));
	return find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
}

bool
bi_kind_is_remote(Relation rel)
{
	ListCell   *cell;

	foreach(cell, family(rel))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE)
			return true;
	return false;
}

static void
check_family(Relation rel, const char *mode)
{
	ListCell   *cell;

	foreach(cell, family(rel))
	{
		Relation	part;

		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_FOREIGN_TABLE)
			continue;
		part = try_relation_open(lfirst_oid(cell), AccessShareLock);
		if (part == NULL)
			continue;
		check_foreign(part, mode);
		relation_close(part, AccessShareLock);
	}
}

static void
check_common(Relation rel)
{
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		REFUSE(ERRCODE_WRONG_OBJECT_TYPE, rel,
			   errdetail("It is a temporary table, which only its own session can write."));
	if (IsSystemRelation(rel))
		REFUSE(ERRCODE_INSUFFICIENT_PRIVILEGE, rel, errdetail("It is a system catalog."));
}

void
bi_kind_check(Relation rel, const char *mode)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
			check_common(rel);
			check_rules(rel, mode);
			check_family(rel, mode);
			break;
		case RELKIND_VIEW:
			check_view(rel, mode);
			check_common(rel);
			break;
		default:
			REFUSE(ERRCODE_WRONG_OBJECT_TYPE, rel,
				   errdetail("It is %s.  A target is an ordinary or partitioned table.",
							 kind_of_relation(rel->rd_rel->relkind)));
	}
}

/* True if the table's partition key has one of these columns. */
static bool
is_partitioned_by(Relation rel, const List *names)
{
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(cell, names)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), lfirst(cell));

		columns = bms_add_member(columns, attnum - FirstLowInvalidHeapAttributeNumber);
	}
	return has_partition_attrs(rel, columns, NULL);
}

void
bi_kind_check_moves(Relation rel, const List *names)
{
	ListCell   *cell;

	foreach(cell, family(rel))
	{
		Relation	part = try_relation_open(lfirst_oid(cell), AccessShareLock);

		if (part == NULL)
			continue;
		if (is_partitioned_by(part, names))
			REFUSE(ERRCODE_FEATURE_NOT_SUPPORTED, rel,
				   errdetail("A column to be written is in the partition key of \"%s\", and a"
							 " partition is a foreign table, into which rows cannot be moved:"
							 " remote and local server do not commit together.",
							 RelationGetRelationName(part)));
		relation_close(part, AccessShareLock);
	}
}
