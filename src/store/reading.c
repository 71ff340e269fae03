/*
 * store/reading.c: whose code runs when a view or a foreign table is read or written, beside
 * that of its owner.
 *
 * The functions that a view's query calls are not looked at: the view's owner has chosen them, as
 * that of a table has chosen the functions of its indexes.  The functions of its triggers are,
 * because everything that is written to a view goes through them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "foreign/foreign.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "store/reading.h"
#include "store/target.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

List *
bi_reading_owners(Relation rel, bool is_written)
{
	TriggerDesc *triggers = rel->trigdesc;
	List	   *owners = NIL;

	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		return list_make1_oid(GetForeignServer(GetForeignTable(RelationGetRelid(rel))->serverid)
							  ->owner);
	if (rel->rd_rel->relkind != RELKIND_VIEW || !is_written)
		return NIL;
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		owners = list_append_unique_oid(owners, bi_target_owner_in(PROCOID, Anum_pg_proc_proowner,
																   triggers->triggers[i].tgfoid));
	return owners;
}

/* Adds the relation if code runs when it is read, and its partitions and children of which that
 * is true. */
static void
add_table(Oid relid, List **tables)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
	{
		char		kind = get_rel_relkind(lfirst_oid(cell));

		if (kind == RELKIND_VIEW || kind == RELKIND_FOREIGN_TABLE)
			*tables = list_append_unique_oid(*tables, lfirst_oid(cell));
	}
}

/* Adds the views and foreign tables of a query to a list of oids.  True to end the walk: never. */
static bool
add_tables(Node *node, List **tables)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, add_tables, tables, QTW_EXAMINE_RTES_BEFORE);
	if (IsA(node, RangeTblEntry))
	{
		const RangeTblEntry *entry = (const RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION)
			add_table(entry->relid, tables);
		return false;
	}
	return expression_tree_walker(node, add_tables, tables);
}

List *
bi_reading_tables(Relation rel)
{
	List	   *tables = NIL;

	if (rel->rd_rel->relkind == RELKIND_VIEW)
		(void) add_tables((Node *) get_view_query(rel), &tables);
	return tables;
}
