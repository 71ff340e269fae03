/*
 * store/target.c: describes the target of a write-back, as the catalogs have it now.
 *
 * Opened at batch_submit as the submitting user, and again for each group that is written: hours
 * lie between the two.  Knows no SQL text and no results.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/json.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "store/fit.h"
#include "store/kind.h"
#include "store/path.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

char *
bi_target_name(Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *name = get_rel_name(relid);

	return schema && name ? quote_qualified_identifier(schema, name) : NULL;
}

Oid
bi_target_root(Oid relid)
{
	List	   *ancestors = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;

	return ancestors == NIL ? relid : llast_oid(ancestors);
}

Oid
bi_target_owner_in(int cache, AttrNumber column, Oid object)
{
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(object));
	bool		isnull;
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = DatumGetObjectId(SysCacheGetAttr(cache, tuple, column, &isnull));
	ReleaseSysCache(tuple);
	return owner;
}

Oid
bi_target_owner(Oid relid)
{
	return bi_target_owner_in(RELOID, Anum_pg_class_relowner, relid);
}

const char *
bi_target_right(AclMode mode)
{
	switch (mode)
	{
		case ACL_INSERT:
			return "INSERT";
		case ACL_UPDATE:
			return "UPDATE";
		case ACL_DELETE:
			return "DELETE";
		default:
			return "SELECT";
	}
}

bool
bi_target_has_right(Oid relid, const char *column, Oid role, AclMode mode)
{
	AttrNumber	attnum = get_attnum(relid, column);

	return pg_class_aclcheck(relid, role, mode) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, attnum, role, mode) == ACLCHECK_OK;
}

/* Returns the names of an index's columns, in its order. */
static List *
index_columns(Oid relid, Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	List	   *names = NIL;
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	form = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < form->indnkeyatts; i++)
		names = lappend(names, get_attname(relid, form->indkey.values[i], false));
	ReleaseSysCache(tuple);
	return names;
}

List *
bi_target_primary_key(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	List	   *names = NIL;

	if (rel == NULL)
		return NIL;
	list_free(RelationGetIndexList(rel));	/* fills rd_pkindex */
	if (OidIsValid(rel->rd_pkindex))
		names = index_columns(relid, rel->rd_pkindex);
	relation_close(rel, AccessShareLock);
	return names;
}

/* Returns the collation of the index's column with that number, from 0. */
static Oid
collation_of(HeapTuple index, int i)
{
	bool		isnull;
	Datum		collations = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indcollation,
											 &isnull);

	Assert(!isnull);
	return ((oidvector *) DatumGetPointer(collations))->values[i];
}

/* True if the same texts are equal by the collation of an index and by that of the column, by which
 * rows are found.  So it is for all deterministic ones. */
static bool
is_same_equality(Oid collation, Oid relid, AttrNumber column)
{
	Oid			type;
	Oid			own;
	int32		typmod;

	get_atttypetypmodcoll(relid, column, &type, &typmod, &own);
	return collation == own || !OidIsValid(collation) || !OidIsValid(own) ||
		(get_collation_isdeterministic(collation) && get_collation_isdeterministic(own));
}

/* True if the index is unique on exactly the key's columns, and an upsert can use it. */
static bool
is_arbiter(const BiTarget *target, Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		is;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	is = form->indisunique && form->indimmediate && form->indisvalid &&
		!form->indnullsnotdistinct &&
		form->indnkeyatts == list_length(target->keys) &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		heap_attisnull(tuple, Anum_pg_index_indexprs, NULL);
	for (int i = 0; is && i < form->indnkeyatts; i++)
	{
		AttrNumber	column = form->indkey.values[i];
		const char *name = get_attname(target->relid, column, false);
		bool		found = false;
		ListCell   *cell;

		foreach(cell, target->keys)
			found |= strcmp(((BiTargetColumn *) lfirst(cell))->name, name) == 0;
		is = found && is_same_equality(collation_of(tuple, i), target->relid, column);
	}
	ReleaseSysCache(tuple);
	return is;
}

bool
bi_target_is_unique(const BiTarget *target)
{
	Relation	rel = relation_open(target->relid, AccessShareLock);
	bool		is = rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
		is |= is_arbiter(target, lfirst_oid(cell));
	relation_close(rel, AccessShareLock);
	return is;
}

static BiTake
how_it_takes(Oid type)
{
	Oid			base = getBaseType(type);

	if (base == JSONOID || base == JSONBOID)
		return BI_TAKE_JSON;
	if (OidIsValid(get_element_type(base)))
		return BI_TAKE_ARRAY;
	if (get_typtype(base) == TYPTYPE_COMPOSITE)
		return BI_TAKE_COMPOSITE;
	return BI_TAKE_TEXT;
}

static BiTargetColumn *
open_column(Relation rel, const char *name)
{
	BiTargetColumn *column = palloc0(sizeof(BiTargetColumn));
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);
	Form_pg_attribute attr;

	if (attnum == InvalidAttrNumber || attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of target table \"%s\" does not exist", name,
						RelationGetRelationName(rel))));
	attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	column->name = pstrdup(name);
	column->type = attr->atttypid;
	column->typmod = attr->atttypmod;
	column->collation = attr->attcollation;
	column->take = how_it_takes(attr->atttypid);
	column->fit = bi_fit_matters(attr->atttypid);
	return column;
}

/* Opens a key column.  It is compared by the default btree equality of its type. */
static BiTargetColumn *
open_key(Relation rel, const char *name)
{
	BiTargetColumn *column = open_column(rel, name);
	TypeCacheEntry *type = lookup_type_cache(column->type,
											 TYPECACHE_BTREE_OPFAMILY | TYPECACHE_EQ_OPR);
	HeapTuple	tuple;
	Form_pg_operator op;

	if (!OidIsValid(type->btree_opf) || !OidIsValid(type->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("key column \"%s\" cannot be compared", name),
				 errdetail("Its type %s has no default btree operator class.",
						   format_type_be(column->type))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(type->eq_opr));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", type->eq_opr);
	op = (Form_pg_operator) GETSTRUCT(tuple);
	column->typmod = -1;		/* a key is compared, not cut or rounded to its column */
	column->equals = psprintf("OPERATOR(%s.%s)",
							  quote_identifier(get_namespace_name(op->oprnamespace)),
							  NameStr(op->oprname));
	if (get_typtype(op->oprright) != TYPTYPE_PSEUDO)
		column->operand = format_type_extended(op->oprright, -1, FORMAT_TYPE_TYPEMOD_GIVEN |
											   FORMAT_TYPE_FORCE_QUALIFY);
	ReleaseSysCache(tuple);
	return column;
}

static BiTargetColumn *
open_output(Relation rel, const char *name, const BiJson *value)
{
	BiTargetColumn *column = open_column(rel, name);
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	if (attr->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("column \"%s\" cannot be written back to", name),
				 errdetail("It is a generated column.")));
	if (attr->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("column \"%s\" cannot be written back to", name),
				 errdetail("It is an identity column defined as GENERATED ALWAYS.")));
	column->fill = bi_fill_read(name, value);
	column->whole = column->fill.kind == BI_FILL_PATH && strcmp(column->fill.text, "$") == 0;
	if (column->fill.kind == BI_FILL_PATH && !column->whole)
		column->jsonpath = DirectFunctionCall1(jsonpath_in, CStringGetDatum(column->fill.text));
	return column;
}

static void
path_error_context(void *arg)
{
	errcontext("write_back of column \"%s\"", (const char *) arg);
}

static List *
open_outputs(Relation rel, const char *write_back)
{
	BiJson	   *json = bi_json_parse(write_back, strlen(write_back));
	List	   *columns = NIL;
	void	   *place = NULL;
	const char *name;
	BiJson	   *value;

	if (bi_json_type(json) != BI_JSON_OBJECT || bi_json_length(json) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("write_back must be a JSON object that names at least one column"),
				 errhint("For example '{\"label\": \"$.label\"}', or '{\"label\": \"$\"}' for the"
						 " whole output.")));
	while (bi_json_next(json, &place, &name, &value))
	{
		ErrorContextCallback context = {
			error_context_stack, path_error_context, unconstify(char *, name)
		};

		error_context_stack = &context;
		columns = lappend(columns, open_output(rel, name, value));
		error_context_stack = context.previous;
	}
	return columns;
}

/* Returns the names of the columns that find a row. */
static const List *
key_names(const BiSpec *spec)
{
	switch (spec->write_mode)
	{
		case BI_WRITE_MODE_UPDATE:
			return spec->key;
		case BI_WRITE_MODE_UPSERT:
			return spec->conflict;
		case BI_WRITE_MODE_REPLACE:
			return spec->replace_by;
		case BI_WRITE_MODE_INSERT:
			break;
	}
	return NIL;
}

/* Opens the keys, once the columns are there. */
static void
open_keys(BiTarget *target, Relation rel, const BiSpec *spec)
{
	const List *names = key_names(spec);
	ListCell   *cell;
	ListCell   *other;

	foreach(cell, names)
	{
		BiTargetColumn *key = open_key(rel, lfirst(cell));

		key->place = -1;
		if (spec->write_mode != BI_WRITE_MODE_UPDATE)
			foreach(other, target->columns)
			{
				BiTargetColumn *column = lfirst(other);

				if (strcmp(column->name, key->name) == 0)
				{
					/* rows are found by what the column makes of the value */
					key->typmod = column->typmod;
					column->is_key = true;
					key->place = foreach_current_index(other);
				}
			}
		target->keys = lappend(target->keys, key);
	}
}

BiTarget *
bi_target_open(Oid relid, const BiSpec *spec)
{
	BiTarget   *target = palloc0(sizeof(BiTarget));
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the target table does not exist any more")));
	bi_kind_check(rel, bi_spec_write_mode(spec->write_mode));
	target->relid = relid;
	target->name = bi_target_name(relid);
	target->is_view = rel->rd_rel->relkind == RELKIND_VIEW;
	target->is_remote = bi_kind_is_remote(rel);
	target->write_mode = spec->write_mode;
	if (spec->write_back)
		target->columns = open_outputs(rel, spec->write_back);
	target->sources = spec->columns;
	open_keys(target, rel, spec);
	if (spec->each)
		target->each = DirectFunctionCall1(jsonpath_in, CStringGetDatum(spec->each));
	if (target->is_remote)
		bi_kind_check_moves(rel, bi_target_column_names(target));
	relation_close(rel, AccessShareLock);
	return target;
}

BiTarget *
bi_target_open_key(Oid relid, const List *key)
{
	BiSpec		spec = {.key = unconstify(List *, key)};

	return bi_target_open(relid, &spec);
}

BiTarget *
bi_target_open_row(Oid relid, const List *names)
{
	BiTarget   *target = bi_target_open_key(relid, NIL);
	Relation	rel = relation_open(relid, AccessShareLock);
	ListCell   *cell;

	foreach(cell, names)
		target->columns = lappend(target->columns, open_column(rel, lfirst(cell)));
	relation_close(rel, AccessShareLock);
	return target;
}

List *
bi_target_row_names(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		names = lappend(names, attr->attisdropped || attr->attgenerated
						? NULL : pstrdup(NameStr(attr->attname)));
	}
	relation_close(rel, AccessShareLock);
	return names;
}

char *
bi_target_refuse_paths(const BiTarget *target)
{
	char	   *why_each = target->each == 0 ? NULL : bi_path_refuse(target->each);
	ListCell   *cell;

	if (why_each)
		return psprintf("the path \"each\" costs too much: %s", why_each);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);
		char	   *why = column->jsonpath == 0 ? NULL : bi_path_refuse(column->jsonpath);

		if (why)
			return psprintf("the write_back path of column \"%s\" costs too much: %s",
							column->name, why);
	}
	return NULL;
}
