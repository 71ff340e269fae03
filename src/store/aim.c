/*
 * store/aim.c: where a job's outputs go now.
 *
 * Hours pass between batch_submit and the answers.  Meanwhile tables and columns are renamed,
 * dropped, exchanged for others.  What counts, within one install and database:
 *
 * - the table is the one of the job's oid, whatever its name is now.  If that one was dropped, it
 *   is the table that has its name of then: so tools load a table, exchange the names and drop the
 *   old one.  Code of a table runs with the rights of the job's owner, so not everybody's table is
 *   taken: only one of the former table's owner, of the job's owner or of a superuser;
 * - a column is the one of its number (attnum), whatever its name is now.  If it was dropped, or
 *   the table is another one, it is the column that has its name of then.
 *
 * In another install numbers mean nothing (pg_dump closes the gaps of dropped columns):
 * batch_adopt drops what is remembered, and names count.  So they do for jobs of 0.1.0.
 *
 * Knows no SQL.  writeback.c asks when it writes, engine/claim.c before anything is paid for.
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

/* One search. */
typedef struct Search
{
	const BiJob *job;
	const BiJson *columns;		/* remembered numbers by name; NULL if only names count */
	Oid			relid;
	char	   *why;
} Search;

/* Returns InvalidOid if there is no such table. */
static Oid
owner_of_table(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

static void
append_column(StringInfo out, const BiTarget *target, const char *name)
{
	appendStringInfoString(out, out->data[out->len - 1] == '{' ? "" : ",");
	escape_json(out, name);
	appendStringInfo(out, ":%d", get_attnum(target->relid, name));
}

char *
bi_aim_remember(const BiTarget *target)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"owner\":%u,\"columns\":{", owner_of_table(target->relid));
	foreach(cell, target->keys)
		append_column(&out, target, ((BiTargetColumn *) lfirst(cell))->name);
	foreach(cell, target->columns)
		append_column(&out, target, ((BiTargetColumn *) lfirst(cell))->name);
	appendStringInfoString(&out, "}}");
	return out.data;
}

/* The table that has the name of the one that was dropped; InvalidOid, and why, if none may be
 * taken. */
static Oid
find_by_name(Search *search, const BiJson *aim)
{
	const BiJob *job = search->job;
	char	   *schema;
	char	   *name;
	Oid			space;
	Oid			relid;
	Oid			owner;

	DeconstructQualifiedName(textToQualifiedNameList(cstring_to_text(job->target_name)), &schema, &name);
	space = schema ? get_namespace_oid(schema, true) : InvalidOid;
	relid = OidIsValid(space) ? get_relname_relid(name, space) : InvalidOid;
	if (get_rel_relkind(relid) != RELKIND_RELATION && get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		relid = InvalidOid;
	owner = owner_of_table(relid);
	if (OidIsValid(owner) && (owner == job->owner || superuser_arg(owner) ||
							  (int64) owner == bi_json_int(bi_json_get(aim, "owner"), 0)))
		return relid;
	search->why = OidIsValid(owner)
		? psprintf("target table %s was dropped, and the one that has its name now belongs to another role", job->target_name)
		: psprintf("target table %s does not exist any more", job->target_name);
	return InvalidOid;
}

static char *
name_of_column(Oid relid, int64 attnum)
{
	HeapTuple	tuple = attnum > 0 && attnum <= MaxAttrNumber
		? SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum((int16) attnum)) : NULL;
	char	   *name = NULL;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_attribute attr = (Form_pg_attribute) GETSTRUCT(tuple);

		name = attr->attisdropped ? NULL : pstrdup(NameStr(attr->attname));
		ReleaseSysCache(tuple);
	}
	return name;
}

/* Returns the name that the column has now, if the job's owner has this right on it; NULL, and
 * why, otherwise. */
static char *
find_column(Search *search, const char *then, AclMode mode)
{
	int64		attnum = bi_json_int(search->columns ? bi_json_get(search->columns, then) : NULL, 0);
	char	   *name = name_of_column(search->relid, attnum);
	Oid			owner = search->job->owner;

	if (name == NULL && get_attnum(search->relid, then) > 0)
		name = pstrdup(then);
	if (name == NULL)
		search->why = psprintf("column \"%s\" of target table %s does not exist any more", then,
							   bi_target_name(search->relid));
	else if (pg_class_aclcheck(search->relid, owner, mode) != ACLCHECK_OK &&
			 pg_attribute_aclcheck(search->relid, get_attnum(search->relid, name), owner, mode) != ACLCHECK_OK)
		search->why = psprintf("the job's owner lacks %s on column \"%s\" of target table %s",
							   mode == ACL_UPDATE ? "UPDATE" : "SELECT", name, bi_target_name(search->relid));
	return search->why ? NULL : name;
}

static void
find_keys(Search *search, BiAim *aim)
{
	ListCell   *cell;

	foreach(cell, search->job->spec.key)
	{
		char	   *name = search->why ? NULL : find_column(search, lfirst(cell), ACL_SELECT);

		aim->key = lappend(aim->key, name);
	}
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
		char	   *name = find_column(search, then, ACL_UPDATE);

		if (name == NULL)
			break;
		appendStringInfoChar(&out, out.len == 0 ? '{' : ',');
		escape_json(&out, name);
		appendStringInfo(&out, ":%s", bi_json_text(path));
	}
	appendStringInfoString(&out, out.len == 0 ? "{}" : "}");
	aim->write_back = out.data;
}

BiAim *
bi_aim_find(const BiJob *job)
{
	BiAim	   *aim = palloc0(sizeof(BiAim));
	Search		search = {.job = job, .relid = job->target};
	const BiJson *memory = job->spec.aim ? bi_json_parse(job->spec.aim, strlen(job->spec.aim)) : NULL;

	if (OidIsValid(owner_of_table(job->target)))
		search.columns = memory ? bi_json_get(memory, "columns") : NULL;
	else
		search.relid = find_by_name(&search, memory);
	if (search.why == NULL && bi_namespace_aclcheck(get_rel_namespace(search.relid), job->owner) != ACLCHECK_OK)
		search.why = psprintf("the job's owner lacks USAGE on the schema of target table %s", bi_target_name(search.relid));
	if (search.why == NULL)
		find_keys(&search, aim);
	if (search.why == NULL)
		find_outputs(&search, aim);
	aim->relid = search.relid;
	aim->why = search.why;
	return aim;
}

BiTarget *
bi_aim_open(const BiJob *job)
{
	BiAim	   *aim = bi_aim_find(job);

	if (aim->why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("%s", aim->why)));
	return bi_target_open(aim->relid, aim->key, aim->write_back);
}
