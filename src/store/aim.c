/*
 * store/aim.c: where a job's outputs go now.
 *
 * Hours pass between batch_submit and the answers.  Meanwhile tables and columns are renamed,
 * dropped or exchanged for others.  Within one install and database:
 *
 * - The table is the one with the job's oid, whatever its name is now.  If that one was dropped,
 *   it is the table that now has the name of the dropped one, because tools load a new table,
 *   exchange the names and drop the old one.  Code of a table runs with the rights of the job's
 *   owner, so the new table must belong to the former table's owner, to the job's owner or to a
 *   superuser.
 * - A column is the one with its number (attnum), whatever its name is now.  If it was dropped,
 *   or if the table is a different one, it is the column that has the former name.
 * - A table that was dropped is followed by a table only, a view by a view, a foreign table by a
 *   foreign table.
 *
 * In another install numbers mean nothing (pg_dump closes the gaps of dropped columns):
 * batch_adopt drops what is remembered, and only names count.  The same holds for jobs of 0.1.0.
 *
 * Asked before anything is paid for, and again when rows are written.  Knows no SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "base/json.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* One search for a job's target.  Lives as long as bi_aim_find. */
typedef struct Search
{
	const BiJob *job;
	const BiJson *columns;		/* remembered numbers by name; NULL if only names count */
	Oid			relid;			/* the table that was found */
	char	   *why;			/* why the search has failed; NULL if it has not */
	bool		is_missing;		/* the column that was looked for last does not exist */
} Search;

static void
append_column(StringInfo out, const BiTarget *target, const char *name)
{
	appendStringInfoString(out, out->data[out->len - 1] == '{' ? "" : ",");
	escape_json(out, name);
	appendStringInfo(out, ":%d", get_attnum(target->relid, name));
}

/* Returns the kind of a target as it is remembered: a partitioned table is a table. */
static char
kind_of(char relkind)
{
	return relkind == RELKIND_PARTITIONED_TABLE ? RELKIND_RELATION : relkind;
}

char *
bi_aim_remember(const BiTarget *target, const List *guarded)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"owner\":%u,\"kind\":\"%c\",\"columns\":{",
					 bi_target_owner(target->relid), kind_of(get_rel_relkind(target->relid)));
	foreach(cell, target->keys)
		append_column(&out, target, ((BiTargetColumn *) lfirst(cell))->name);
	foreach(cell, target->columns)
		append_column(&out, target, ((BiTargetColumn *) lfirst(cell))->name);
	foreach(cell, guarded)
		append_column(&out, target, lfirst(cell));
	appendStringInfoString(&out, "}}");
	return out.data;
}

/* True if code of this role's table may run with the rights of the job's owner. */
static bool
is_trusted(const BiJob *job, Oid owner, const BiJson *memory)
{
	return owner == job->owner || superuser_arg(owner) ||
		(int64) owner == bi_json_int(bi_json_get(memory, "owner"), 0);
}

/* Returns the relation with this qualified name; InvalidOid if there is no such relation, or it is
 * of another kind. */
static Oid
relation_named(const char *qualified, char kind)
{
	char	   *schema;
	char	   *name;
	Oid			space;
	Oid			relid;

	DeconstructQualifiedName(textToQualifiedNameList(cstring_to_text(qualified)), &schema, &name);
	space = schema ? get_namespace_oid(schema, true) : InvalidOid;
	relid = OidIsValid(space) ? get_relname_relid(name, space) : InvalidOid;
	return kind_of(get_rel_relkind(relid)) == kind ? relid : InvalidOid;
}

/* Returns the table that has the name of the one that was dropped; InvalidOid, and sets why, if
 * there is none that may be taken. */
static Oid
find_by_name(Search *search, const BiJson *memory)
{
	const BiJob *job = search->job;
	const char *kind = bi_json_string(bi_json_get(memory, "kind"), NULL);
	Oid			relid = relation_named(job->target_name, kind ? kind[0] : RELKIND_RELATION);
	Oid			owner = bi_target_owner(relid);

	if (OidIsValid(owner) && is_trusted(job, owner, memory))
		return relid;
	if (OidIsValid(owner))
		search->why = psprintf("target table %s was dropped, and the one that has its name now"
							   " belongs to another role", job->target_name);
	else
		search->why = psprintf("target table %s does not exist any more", job->target_name);
	return InvalidOid;
}

/* Returns the present name of a column; NULL if it was dropped, or if attnum is not a number of
 * one. */
static char *
name_of_column(Oid relid, int64 attnum)
{
	HeapTuple	tuple;
	char	   *name = NULL;

	if (attnum <= 0 || attnum > MaxAttrNumber)
		return NULL;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum((int16) attnum));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_attribute attr = (Form_pg_attribute) GETSTRUCT(tuple);

		name = attr->attisdropped ? NULL : pstrdup(NameStr(attr->attname));
		ReleaseSysCache(tuple);
	}
	return name;
}

/* Returns the present name of the column that was named so at batch_submit, if the job's owner
 * has this right on it; otherwise NULL, and sets why. */
static char *
find_column(Search *search, const char *then, AclMode mode)
{
	const BiJson *number = search->columns ? bi_json_get(search->columns, then) : NULL;
	int64		attnum = bi_json_int(number, 0);
	char	   *name = name_of_column(search->relid, attnum);
	Oid			owner = search->job->owner;

	if (name == NULL && get_attnum(search->relid, then) > 0)
		name = pstrdup(then);
	search->is_missing = name == NULL;
	if (name == NULL)
		search->why = psprintf("column \"%s\" of target table %s does not exist any more", then,
							   bi_target_name(search->relid));
	else if (!bi_target_has_right(search->relid, name, owner, mode))
		search->why = psprintf("the job's owner lacks %s on column \"%s\" of target table %s",
							   bi_target_right(mode), name, bi_target_name(search->relid));
	return search->why ? NULL : name;
}

/* Returns the present names of columns that find a row. */
static List *
find_keys(Search *search, const List *then)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, then)
		names = lappend(names, search->why ? NULL : find_column(search, lfirst(cell), ACL_SELECT));
	return names;
}

/* Returns the present name of a column that is filled, if the job's owner may write it. */
static char *
find_output(Search *search, const char *then)
{
	BiWriteMode mode = search->job->spec.write_mode;
	bool		is_key = bi_target_names_have(search->job->spec.conflict, then);
	char	   *name = NULL;

	if (mode != BI_WRITE_MODE_UPDATE)
		name = find_column(search, then, ACL_INSERT);
	if (mode == BI_WRITE_MODE_UPDATE || (mode == BI_WRITE_MODE_UPSERT && name && !is_key))
		name = find_column(search, then, ACL_UPDATE);
	return name;
}

static void
check_delete(Search *search)
{
	if (search->job->spec.write_mode == BI_WRITE_MODE_REPLACE &&
		pg_class_aclcheck(search->relid, search->job->owner, ACL_DELETE) != ACLCHECK_OK)
		search->why = psprintf("the job's owner lacks DELETE on target table %s",
							   bi_target_name(search->relid));
}

static void
find_outputs(Search *search, BiAim *aim)
{
	const char *text = search->job->spec.write_back;
	BiJson	   *json = bi_json_parse(text, strlen(text));
	StringInfoData out;
	void	   *place = NULL;
	const char *then;
	BiJson	   *path;

	initStringInfo(&out);
	while (search->why == NULL && bi_json_next(json, &place, &then, &path))
	{
		char	   *name = find_output(search, then);

		if (name == NULL)
			break;
		appendStringInfoChar(&out, out.len == 0 ? '{' : ',');
		escape_json(&out, name);
		appendStringInfo(&out, ":%s", bi_json_text(path));
	}
	appendStringInfoString(&out, out.len == 0 ? "{}" : "}");
	aim->write_back = out.data;
}

/* A guarded column that was dropped is not missed: no row holds what it held. */
static void
find_guarded(Search *search, BiAim *aim)
{
	ListCell   *cell;

	foreach(cell, search->job->spec.guarded)
	{
		const char *then = lfirst(cell);
		char	   *name = find_column(search, then, ACL_SELECT);

		if (name)
			aim->guarded = lappend(aim->guarded, name);
		else if (search->is_missing)
		{
			aim->guard_lost = true;
			search->why = NULL;
		}
		else
			return;
	}
}

static void
check_schema(Search *search)
{
	Oid			schema = get_rel_namespace(search->relid);

	if (bi_namespace_aclcheck(schema, search->job->owner) != ACLCHECK_OK)
		search->why = psprintf("the job's owner lacks USAGE on the schema of target table %s",
							   bi_target_name(search->relid));
}

BiAim *
bi_aim_find(const BiJob *job)
{
	BiAim	   *aim = palloc0(sizeof(BiAim));
	Search		search = {.job = job, .relid = job->target};
	const char *text = job->spec.aim;
	const BiJson *memory = text ? bi_json_parse(text, strlen(text)) : NULL;

	if (OidIsValid(bi_target_owner(job->target)))
		search.columns = memory ? bi_json_get(memory, "columns") : NULL;
	else
		search.relid = find_by_name(&search, memory);
	if (search.why == NULL)
		check_schema(&search);
	if (search.why == NULL)
		check_delete(&search);
	if (job->spec.write_mode == BI_WRITE_MODE_UPDATE)
		aim->key = find_keys(&search, job->spec.key);
	aim->conflict = find_keys(&search, job->spec.conflict);
	aim->replace_by = find_keys(&search, job->spec.replace_by);
	if (search.why == NULL)
		find_outputs(&search, aim);
	if (search.why == NULL)
		find_guarded(&search, aim);
	aim->relid = search.relid;
	aim->why = search.why;
	return aim;
}

BiSpec
bi_aim_spec(const BiJob *job, const BiAim *aim)
{
	BiSpec		spec = job->spec;

	spec.key = aim->key;
	spec.write_back = aim->write_back;
	spec.conflict = aim->conflict;
	spec.replace_by = aim->replace_by;
	return spec;
}

/* Returns the present name of a column; NULL if it was dropped. */
static char *
present_name(const BiJob *job, Oid relid, const BiJson *numbers, const char *then)
{
	int64		attnum = bi_json_int(numbers ? bi_json_get(numbers, then) : NULL, 0);
	char	   *name = numbers ? name_of_column(job->target, attnum) : NULL;

	if (name == NULL)
		name = pstrdup(then);
	return get_attnum(relid, name) > 0 ? name : NULL;
}

void
bi_aim_names(const BiJob *job, Oid relid, List **keys, List **columns)
{
	const BiJson *memory = bi_json_parse_cstring(job->spec.aim);
	const BiJson *numbers = NULL;
	BiJson	   *write_back = bi_json_parse_cstring(job->spec.write_back);
	void	   *place = NULL;
	const char *then;
	BiJson	   *path;
	ListCell   *cell;

	if (!job->foreign && OidIsValid(bi_target_owner(job->target)))
		numbers = bi_json_get(memory, "columns");
	foreach(cell, job->spec.key)
		*keys = lappend(*keys, present_name(job, relid, numbers, lfirst(cell)));
	while (bi_json_next(write_back, &place, &then, &path))
		*columns = lappend(*columns, present_name(job, relid, numbers, then));
}

BiTarget *
bi_aim_open(const BiJob *job)
{
	BiAim	   *aim = bi_aim_find(job);
	BiSpec		now;
	BiTarget   *target;

	if (aim->why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("%s", aim->why)));
	now = bi_aim_spec(job, aim);
	target = bi_target_open(aim->relid, &now);
	target->write_if = job->spec.write_if;
	target->guarded = aim->guarded;
	target->guard_lost = aim->guard_lost;
	if (!bi_target_can_recheck(target) && target->write_if != BI_WRITE_IF_ALWAYS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("target %s has become a view, whose rows cannot be checked again",
						target->name)));
	return target;
}
