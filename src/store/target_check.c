/*
 * store/target_check.c: what batch_submit refuses of a target before anything is sent.
 *
 * Rights that are missing, paths that cost too much, and types that no output of the job fits.
 * Only sure misfits are refused: what one value does not fit ends that value's write.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "store/keyhash.h"
#include "store/path.h"
#include "store/target_check.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static void
check_right(const BiTarget *target, const char *column, AclMode mode)
{
	if (!bi_target_has_right(target->relid, column, GetUserId(), mode))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for column \"%s\" of target table \"%s\"", column,
						get_rel_name(target->relid)),
				 errhint("Write-back needs %s on it.", bi_target_right(mode))));
}

/* True if the column's type can take no output of this job.  False if it is not sure. */
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
	if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_USER ||
		category == TYPCATEGORY_UNKNOWN)
		return false;
	/* All other types take a scalar, which a whole embedding or structured output is not. */
	return spec->task == BI_TASK_EMBEDDING || (column->whole && spec->response_schema);
}

static void
check_path(const BiTargetColumn *column)
{
	char	   *why = column->jsonpath == 0 ? NULL : bi_path_refuse(column->jsonpath);

	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("write_back path of column \"%s\" costs too much", column->name),
				 errdetail("The path is refused: %s.", why)));
}

static void
check_each(const BiTarget *target)
{
	char	   *why = target->each == 0 ? NULL : bi_path_refuse(target->each);

	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the path in argument \"each\" costs too much"),
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

/* Returns how many numbers a value of the column has: of pgvector's types vector and halfvec, if
 * they are declared with a number.  0: any number, or a different type. */
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
	bool		takes_all = column->whole && spec->each == NULL;
	int			size = takes_all && embedding_size > 0 ? vector_size(column) : 0;

	if (size > 0 && size != embedding_size)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot take the embeddings", column->name,
						format_type_with_typemod(column->type, column->typmod)),
				 errdetail("Those of model \"%s\", as the job asks for them, have %d numbers.",
						   spec->model, embedding_size),
				 errhint("Declare the column with %d dimensions, or ask for %d in params if the"
						 " model can make so few.", embedding_size, size)));
}

static void
check_type(const BiTargetColumn *column, const BiSpec *spec)
{
	if (column->fill.kind != BI_FILL_PATH || spec->each || !never_takes(column, spec))
		return;
	if (spec->task == BI_TASK_EMBEDDING)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot take the output", column->name,
						format_type_be(column->type)),
				 errdetail("An embedding is an array of numbers."),
				 errhint("Use a column of type real[], vector or jsonb.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot take the output", column->name,
					format_type_be(column->type)),
			 errdetail("A structured output as a whole is a JSON value."),
			 errhint("Use a path to one of its members, or a column of type jsonb.")));
}

/* Keys and columns travel as one row of a column definition list, after the record's number. */
static void
check_count(const BiTarget *target)
{
	int			count = list_length(target->keys) + list_length(target->columns);

	if (count >= MaxHeapAttributeNumber)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("cannot write so many columns back"),
				 errdetail("Key columns and written columns are %d together, of at most %d.",
						   count, MaxHeapAttributeNumber - 1)));
}

/* Checks the right to write a column. */
static void
check_write(const BiTarget *target, const BiTargetColumn *column)
{
	BiWriteMode mode = target->write_mode;

	if (mode != BI_WRITE_MODE_UPDATE)
		check_right(target, column->name, ACL_INSERT);
	if (mode == BI_WRITE_MODE_UPDATE || (mode == BI_WRITE_MODE_UPSERT && !column->is_key))
		check_right(target, column->name, ACL_UPDATE);
}

/* Each column that finds a row of an upsert or a replace is filled; that of a replace from the
 * query, so that it is known before there is an answer. */
static void
check_keys_filled(const BiTarget *target, const char *argument)
{
	ListCell   *cell;

	foreach(cell, target->keys)
	{
		BiTargetColumn *key = lfirst(cell);
		BiTargetColumn *column = key->place < 0 ? NULL : list_nth(target->columns, key->place);

		if (column == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" of argument \"%s\" is not in write_back", key->name,
							argument)));
		if (target->write_mode == BI_WRITE_MODE_REPLACE && column->fill.kind != BI_FILL_COLUMN)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" of argument \"%s\" is not filled from the query",
							key->name, argument),
					 errhint("Fill it with {\"column\": \"…\"} in write_back.")));
	}
}

/* Records of one value are known by its hash.  If equal values had two, the rows of the one would
 * replace those of the other. */
static void
check_value_types(const BiTarget *target)
{
	ListCell   *cell;

	foreach(cell, target->keys)
	{
		const BiTargetColumn *key = lfirst(cell);

		if (!bi_keyhash_is_exact(key->type))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of type %s cannot be one of argument \"replace_by\"",
							key->name, format_type_be(key->type)),
					 errdetail("Equal values of this type may have different texts.")));
	}
}

/* Checks what belongs to the way of writing. */
static void
check_mode(const BiTarget *target)
{
	switch (target->write_mode)
	{
		case BI_WRITE_MODE_UPSERT:
			check_keys_filled(target, "conflict");
			if (!bi_target_is_unique(target))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
						 errmsg("table %s has no unique index on the columns of argument"
								" \"conflict\"", target->name),
						 errdetail("An upsert needs one on exactly these columns, without a WHERE,"
								   " that is neither deferrable nor NULLS NOT DISTINCT, and for"
								   " whose collation the same keys are equal.")));
			break;
		case BI_WRITE_MODE_REPLACE:
			check_keys_filled(target, "replace_by");
			check_value_types(target);
			if (pg_class_aclcheck(target->relid, GetUserId(), ACL_DELETE) != ACLCHECK_OK)
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("permission denied for target table %s", target->name),
						 errhint("write_mode => 'replace' needs DELETE on it.")));
			break;
		default:
			break;
	}
}

/* The row of a view is not locked, and not looked at again after a concurrent change of it. */
static void
check_write_if(const BiTarget *target, const BiSpec *spec)
{
	if (bi_target_can_recheck(target) || spec->write_if == BI_WRITE_IF_ALWAYS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("write_if => '%s' is not supported for view \"%s\"",
					spec->write_if == BI_WRITE_IF_NULL ? "null" : "unchanged",
					get_rel_name(target->relid)),
			 errdetail("PostgreSQL does not lock the rows of a view, so whether one has changed"
					   " cannot be seen at the moment of the write."),
			 errhint("Use write_if => 'always', or name the table behind the view.")));
}

void
bi_target_check(const BiTarget *target, const BiSpec *spec, int embedding_size)
{
	ListCell   *cell;

	check_write_if(target, spec);
	check_count(target);
	check_each(target);
	check_mode(target);
	foreach(cell, target->keys)
		check_right(target, ((BiTargetColumn *) lfirst(cell))->name, ACL_SELECT);
	foreach(cell, target->columns)
	{
		BiTargetColumn *column = lfirst(cell);

		check_write(target, column);
		check_path(column);
		check_vector(column, spec, embedding_size);
		check_type(column, spec);
	}
}
