/*
 * store/target.c: describes the target of a write-back.
 *
 * Reads the catalogs and says what cannot work before anything is sent.  Knows no
 * SQL text and no results.  Called by api/submit.c as the submitting user, and by
 * store/writeback.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "store/fit.h"
#include "store/path.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonpath.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

char *
bi_target_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/* The names of an index's columns, in its order. */
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
				 errmsg("column \"%s\" of target table \"%s\" does not exist", name, RelationGetRelationName(rel))));
	attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	column->name = pstrdup(name);
	column->type = attr->atttypid;
	column->typmod = attr->atttypmod;
	column->take = how_it_takes(attr->atttypid);
	column->fit = bi_fit_matters(attr->atttypid);
	return column;
}

/* The default btree equality of the key's type. */
static BiTargetColumn *
open_key(Relation rel, const char *name)
{
	BiTargetColumn *column = open_column(rel, name);
	TypeCacheEntry *type = lookup_type_cache(column->type, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_EQ_OPR);
	HeapTuple	tuple;
	Form_pg_operator op;

	if (!OidIsValid(type->btree_opf) || !OidIsValid(type->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("key column \"%s\" cannot be compared", name),
				 errdetail("Its type %s has no default btree operator class.", format_type_be(column->type))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(type->eq_opr));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", type->eq_opr);
	op = (Form_pg_operator) GETSTRUCT(tuple);
	column->typmod = -1;		/* a key is compared, not cut or rounded to its column */
	column->equals = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(op->oprnamespace)), NameStr(op->oprname));
	ReleaseSysCache(tuple);
	return column;
}

static BiTargetColumn *
open_output(Relation rel, const char *name, const char *path)
{
	BiTargetColumn *column = open_column(rel, name);
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), get_attnum(RelationGetRelid(rel), name) - 1);

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
	column->path = pstrdup(path);
	column->whole = strcmp(path, "$") == 0;
	if (!column->whole)
		column->jsonpath = DirectFunctionCall1(jsonpath_in, CStringGetDatum(path));
	return column;
}

static const char *
kind_of_relation(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "a view";
		case RELKIND_MATVIEW:
			return "a materialized view";
		case RELKIND_FOREIGN_TABLE:
			return "a foreign table";
		case RELKIND_SEQUENCE:
			return "a sequence";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "an index";
		case RELKIND_COMPOSITE_TYPE:
			return "a composite type";
		default:
			return "no table";
	}
}

static void
check_relation(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot write back to \"%s\"", RelationGetRelationName(rel)),
				 errdetail("It is %s; a target is an ordinary or partitioned table.", kind_of_relation(kind))));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot write back to \"%s\"", RelationGetRelationName(rel)),
				 errdetail("It is a temporary table, which only its own session can write.")));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot write back to \"%s\"", RelationGetRelationName(rel)),
				 errdetail("It is a system catalog.")));
}

static void
path_error_context(void *arg)
{
	errcontext("write_back path of column \"%s\"", (const char *) arg);
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
				 errhint("For example '{\"label\": \"$.label\"}', or '{\"label\": \"$\"}' for the whole output.")));
	while (bi_json_next(json, &place, &name, &value))
	{
		const char *path = bi_json_string(value, NULL);
		ErrorContextCallback context = {error_context_stack, path_error_context, unconstify(char *, name)};

		if (path == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("write_back of column \"%s\" is not a string", name),
					 errhint("Give an SQL/JSON path into the output; \"$\" is the whole output.")));
		if (strchr(path, '$') == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("write_back path \"%s\" of column \"%s\" does not begin with $", path, name),
					 errhint("Write {\"%s\": \"$\"} for the whole output, {\"%s\": \"$.%s\"} for a member of it.",
							 name, name, path[0] ? path : name)));
		error_context_stack = &context;
		columns = lappend(columns, open_output(rel, name, path));
		error_context_stack = context.previous;
	}
	return columns;
}

BiTarget *
bi_target_open(Oid relid, const List *key, const char *write_back)
{
	BiTarget   *target = palloc0(sizeof(BiTarget));
	Relation	rel = try_relation_open(relid, AccessShareLock);
	ListCell   *cell;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the target table does not exist any more")));
	check_relation(rel);
	target->relid = relid;
	target->name = bi_target_name(relid);
	foreach(cell, key)
		target->keys = lappend(target->keys, open_key(rel, lfirst(cell)));
	target->columns = open_outputs(rel, write_back);
	relation_close(rel, AccessShareLock);
	return target;
}

static void
check_right(const BiTarget *target, const char *column, AclMode mode)
{
	AttrNumber	attnum = get_attnum(target->relid, column);

	if (pg_class_aclcheck(target->relid, GetUserId(), mode) != ACLCHECK_OK &&
		pg_attribute_aclcheck(target->relid, attnum, GetUserId(), mode) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for column \"%s\" of target table \"%s\"", column, get_rel_name(target->relid)),
				 errhint("Write-back needs %s on it.", mode == ACL_UPDATE ? "UPDATE" : "SELECT")));
}

/* May text of this kind be what the type's input function expects?  Only sure misfits are told. */
static bool
never_takes(const BiTargetColumn *column, const BiSpec *spec)
{
	char		category;
	bool		preferred;

	if (column->take == BI_TAKE_COMPOSITE)
		return spec->task == BI_TASK_EMBEDDING;
	if (column->take != BI_TAKE_TEXT)
		return false;
	get_type_category_preferred(getBaseType(column->type), &category, &preferred);
	if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_USER || category == TYPCATEGORY_UNKNOWN)
		return false;
	/* a whole embedding or structured output is no scalar */
	return spec->task == BI_TASK_EMBEDDING || (column->whole && spec->response_schema);
}

static void
check_path(const BiTargetColumn *column)
{
	char	   *why = bi_path_refuse(column);

	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("write_back path of column \"%s\" costs too much", column->name),
				 errdetail("The path is refused: %s.", why)));
}

static bool
is_type_named(Oid type, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	bool		named;

	if (!HeapTupleIsValid(tuple))
		return false;
	named = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), name) == 0;
	ReleaseSysCache(tuple);
	return named;
}

/*
 * How many numbers a value of pgvector's types vector and halfvec has that are declared with a
 * number; 0: any number, or another type.
 */
static int
vector_size(const BiTargetColumn *column)
{
	int32		typmod = column->typmod;
	Oid			type = getBaseTypeAndTypmod(column->type, &typmod);
	Oid			extension = getExtensionOfObject(TypeRelationId, type);
	char	   *owner = OidIsValid(extension) ? get_extension_name(extension) : NULL;

	if (owner == NULL || strcmp(owner, "vector") != 0 || typmod <= 0)
		return 0;
	return is_type_named(type, "vector") || is_type_named(type, "halfvec") ? typmod : 0;
}

static void
check_vector(const BiTargetColumn *column, const BiSpec *spec, int embedding_size)
{
	int			size = column->whole && embedding_size > 0 ? vector_size(column) : 0;

	if (size > 0 && size != embedding_size)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot take the embeddings", column->name,
						format_type_with_typemod(column->type, column->typmod)),
				 errdetail("Those of model \"%s\", as the job asks for them, have %d numbers.",
						   spec->model, embedding_size),
				 errhint("Declare the column with %d dimensions, or ask for %d in params if the model can make so few.",
						 embedding_size, size)));
}

void
bi_target_check(const BiTarget *target, const BiSpec *spec, int embedding_size)
{
	ListCell   *cell;

	/* They travel as one row of a column definition list, behind the record's number. */
	if (list_length(target->keys) + list_length(target->columns) >= MaxHeapAttributeNumber)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("cannot write so many columns back"),
				 errdetail("Key and written columns are %d together, and may be %d.",
						   list_length(target->keys) + list_length(target->columns), MaxHeapAttributeNumber - 1)));
	foreach(cell, target->keys)
		check_right(target, ((BiTargetColumn *) lfirst(cell))->name, ACL_SELECT);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		check_right(target, column->name, ACL_UPDATE);
		check_path(column);
		check_vector(column, spec, embedding_size);
		if (never_takes(column, spec))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of type %s cannot take the output", column->name, format_type_be(column->type)),
					 spec->task == BI_TASK_EMBEDDING
					 ? errdetail("An embedding is an array of numbers.")
					 : errdetail("A structured output as a whole is a JSON value."),
					 spec->task == BI_TASK_EMBEDDING
					 ? errhint("Use a column of type real[], vector or jsonb.")
					 : errhint("Use a path to one of its members, or a column of type jsonb.")));
	}
}
