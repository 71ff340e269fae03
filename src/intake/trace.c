/*
 * intake/trace.c: which columns of the target the values of a query's columns come from.
 *
 * A column of a query is an expression over columns of its range-table entries.  An entry that is a
 * subquery, a view or a WITH query has expressions again, and so on, down to tables.  An entry is
 * known by the way to it: the numbers of the entries on it, from the outermost query.  Two sides of
 * a self-join, or two uses of one WITH query, have two ways.
 *
 * What cannot be followed is another source: aggregates and window functions (their values come
 * from many rows), set operations and recursive queries, functions and VALUES in FROM, and what is
 * inside of a subquery in an expression.  What such a subquery takes from outside is followed.
 */
#include "postgres.h"

#include "base/compat.h"
#include "intake/trace.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "store/target.h"
#include "utils/lsyscache.h"

/* A query on the way down.  On the stack of the function that goes into it. */
typedef struct Level
{
	Query	   *query;
	const struct Level *parent;
	const List *way;			/* to this query: numbers of entries, int */
} Level;

/* A column of a table. */
typedef struct Origin
{
	List	   *way;			/* to the table's entry */
	Oid			relid;
	AttrNumber	attnum;			/* 0: the whole row */
} Origin;

/* A walk through one expression. */
typedef struct Walk
{
	const Level *level;			/* the query that the expression belongs to */
	int			depth;			/* subqueries in expressions that the walk is inside of */
	List	   *origins;		/* out: Origin */
	bool		has_other;		/* out: a value comes from somewhere else, too */
	bool		is_computed;	/* out: it is not a column as it is */
} Walk;

static bool walk(Node *node, Walk *w);
static void follow(Walk *w, const Level *level, Node *expression);

/* True if the rows of the query are not, one by one, rows of its entries. */
static bool
is_closed(const Query *query)
{
	return query->setOperations != NULL || query->commandType != CMD_SELECT;
}

/* Follows a column of a query that is an entry of the level. */
static void
follow_into(Walk *w, const Level *level, Query *query, const Level *outer, Index varno,
			AttrNumber attnum)
{
	Level		inner = {query, outer, lappend_int(list_copy(level->way), (int) varno)};
	TargetEntry *entry = attnum > 0 ? get_tle_by_resno(query->targetList, attnum) : NULL;

	check_stack_depth();
	if (is_closed(query) || (entry == NULL && attnum != 0))
		w->has_other = true;
	else if (entry)
		follow(w, &inner, (Node *) entry->expr);
	else
	{
		ListCell   *cell;

		foreach(cell, query->targetList)
			if (!lfirst_node(TargetEntry, cell)->resjunk)
				follow(w, &inner, (Node *) lfirst_node(TargetEntry, cell)->expr);
	}
}

/* Follows a column of a WITH query. */
static void
follow_with(Walk *w, const Level *level, const RangeTblEntry *rte, Index varno, AttrNumber attnum)
{
	const Level *owner = level;
	ListCell   *cell;

	for (Index i = 0; i < rte->ctelevelsup && owner; i++)
		owner = owner->parent;
	foreach(cell, owner ? owner->query->cteList : NIL)
	{
		CommonTableExpr *with = lfirst_node(CommonTableExpr, cell);

		if (strcmp(with->ctename, rte->ctename) != 0)
			continue;
		if (with->cterecursive || !IsA(with->ctequery, Query))
			break;
		follow_into(w, level, castNode(Query, with->ctequery), owner, varno, attnum);
		return;
	}
	w->has_other = true;
}

static void
add_origin(Walk *w, const Level *level, const RangeTblEntry *rte, Index varno, AttrNumber attnum)
{
	Origin	   *origin = palloc(sizeof(Origin));

	origin->way = lappend_int(list_copy(level->way), (int) varno);
	origin->relid = rte->relid;
	origin->attnum = attnum;
	w->origins = lappend(w->origins, origin);
}

/* Follows a column of an entry of the level. */
static void
follow_var(Walk *w, const Level *level, const Var *var)
{
	RangeTblEntry *rte = rt_fetch(var->varno, level->query->rtable);

	switch (rte->rtekind)
	{
		case RTE_RELATION:
			if (var->varattno >= 0)
				add_origin(w, level, rte, var->varno, var->varattno);
			break;
		case RTE_SUBQUERY:
			follow_into(w, level, rte->subquery, level, var->varno, var->varattno);
			break;
		case RTE_JOIN:
			if (var->varattno > 0 && var->varattno <= list_length(rte->joinaliasvars))
				follow(w, level, list_nth(rte->joinaliasvars, var->varattno - 1));
			else
				w->has_other = true;
			break;
		case RTE_CTE:
			follow_with(w, level, rte, var->varno, var->varattno);
			break;
		default:
			if (bi_is_group_entry(rte))
				follow(w, level, bi_group_expression(rte, var->varattno));
			else
				w->has_other = true;
	}
}

/* Follows the Vars of an expression that belongs to the level. */
static void
follow(Walk *w, const Level *level, Node *expression)
{
	Walk		inner = {.level = level};

	(void) walk(expression, &inner);
	w->origins = list_concat(w->origins, inner.origins);
	w->has_other = w->has_other || inner.has_other;
	w->is_computed = w->is_computed || inner.is_computed;
}

/* True to end the walk, as in expression_tree_walker: never. */
static bool
walk(Node *node, Walk *w)
{
	bool		ended;

	if (node == NULL)
		return false;
	if (IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc))
	{
		w->has_other = true;
		return false;
	}
	if (IsA(node, Var))
	{
		const Var  *var = (const Var *) node;
		const Level *level = w->level;

		if ((int) var->varlevelsup < w->depth)
			return false;
		for (int i = w->depth; i < (int) var->varlevelsup && level; i++)
			level = level->parent;
		if (level)
			follow_var(w, level, var);
		else
			w->has_other = true;
		return false;
	}
	w->is_computed = w->is_computed || !IsA(node, RelabelType);
	if (!IsA(node, Query))
		return expression_tree_walker(node, walk, w);
	w->has_other = true;
	w->depth++;
	ended = query_tree_walker(castNode(Query, node), walk, w, 0);
	w->depth--;
	return ended;
}

/* Returns what the column of that number of the query comes from. */
static Walk
trace_column(const Level *top, int number)
{
	Walk		w = {.level = top};
	TargetEntry *entry = get_tle_by_resno(top->query->targetList, number);

	if (entry == NULL || is_closed(top->query))
		w.has_other = true;
	else
		(void) walk((Node *) entry->expr, &w);
	return w;
}

/* Returns the way to the entry that all key columns are taken from; NIL if there is none, or if it
 * is not of the target. */
static const List *
find_entry(const Level *top, const List *key, const List *key_names, Oid target)
{
	const List *way = NIL;

	for (int i = 0; i < list_length(key); i++)
	{
		Walk		w = trace_column(top, list_nth_int(key, i));
		const Origin *origin;
		char	   *name;

		if (w.has_other || w.is_computed || list_length(w.origins) != 1)
			return NIL;
		origin = linitial(w.origins);
		name = get_attname(origin->relid, origin->attnum, true);
		if (name == NULL || strcmp(name, list_nth(key_names, i)) != 0 ||
			bi_target_root(origin->relid) != bi_target_root(target) ||
			(way && !equal(way, origin->way)))
			return NIL;
		way = origin->way;
	}
	return way;
}

static List *
add_name(List *names, const char *name)
{
	return bi_target_names_have(names, name) ? names : lappend(names, pstrdup(name));
}

/* Adds the column, or all columns of the row, if the target has one of that name. */
static List *
add_columns(List *names, const Origin *origin, Oid target)
{
	AttrNumber	attnum = Max(origin->attnum, 1);
	char	   *name;

	while ((name = get_attname(origin->relid, attnum, true)) != NULL)
	{
		if (get_attnum(target, name) > 0)
			names = add_name(names, name);
		if (origin->attnum != 0)
			break;
		attnum++;
	}
	return names;
}

BiTrace
bi_trace_columns(Query *query, const List *key, const List *key_names, const Bitmapset *sent,
				 Oid target)
{
	BiTrace		trace = {NIL, NIL};
	Level		top = {query, NULL, NIL};
	const List *entry = find_entry(&top, key, key_names, target);
	int			number = -1;

	while ((number = bms_next_member(sent, number)) >= 0)
	{
		Walk		w = trace_column(&top, number);
		bool		has_other = w.has_other;
		ListCell   *cell;

		foreach(cell, w.origins)
		{
			const Origin *origin = lfirst(cell);

			if (entry && equal(entry, origin->way))
				trace.guarded = add_columns(trace.guarded, origin, target);
			else
				has_other = true;
		}
		if (has_other)
			trace.other = add_name(trace.other,
								   get_tle_by_resno(query->targetList, number)->resname);
	}
	return trace;
}

const char *
bi_trace_filter(Query *query, Oid target, const List *names)
{
	Level		top = {query, NULL, NIL};
	Walk		w = {.level = &top};
	ListCell   *cell;

	if (!is_closed(query))
		(void) walk((Node *) query->jointree, &w);
	foreach(cell, w.origins)
	{
		const Origin *origin = lfirst(cell);
		char	   *name = get_attname(origin->relid, origin->attnum, true);

		if (name && bi_target_root(origin->relid) == bi_target_root(target) &&
			bi_target_names_have(names, name))
			return name;
	}
	return NULL;
}
