/*
 * api/origin.c: batch_lineage: where the values of a row come from.
 *
 * The caller sees the jobs that batch_jobs shows them, for columns that they may read.  Whether the
 * row still holds what a job has written is asked with the caller's own rights; a superuser asks
 * with those of the table's owner, whose code (policies, domains) may run then.
 */
#include "postgres.h"

#include "base/texts.h"
#include "catalog/pg_authid.h"
#include "engine/results/blame.h"
#include "engine/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/lineage.h"
#include "store/sql.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(batchinf_lineage);

/* Whether the row holds something; unknown is SQL's NULL. */
typedef enum Holds
{
	HOLDS_NOT,
	HOLDS,
	HOLDS_UNKNOWN
} Holds;

/* One look at a row: what it holds in the columns of one write. */
typedef struct Look
{
	Oid			relid;
	Oid			role;			/* reads it */
	MemoryContext cxt;			/* of prints */
	const BiLineage *write;		/* NULL before the first look */
	bytea	   *prints;
	bool		failed;			/* the role may not read it, or the key fits the table no more */
} Look;

static void
require_select(Oid relid, Oid user)
{
	if (pg_class_aclcheck(relid, user, ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, user, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
}

static Oid
choose_reader(Oid relid, Oid user)
{
	Oid			owner = bi_target_owner(relid);

	return superuser_arg(user) && OidIsValid(owner) && !superuser_arg(owner) ? owner : user;
}

static void
look(void *arg)
{
	Look	   *one = arg;

	bytea	   *prints = bi_lineage_read(one->relid, one->write, one->role);
	MemoryContext old = MemoryContextSwitchTo(one->cxt);

	if (prints)
		one->prints = DatumGetByteaPCopy(PointerGetDatum(prints));
	MemoryContextSwitchTo(old);
}

/* True if both writes are of the same columns of the same row. */
static bool
is_same_look(const BiLineage *a, const BiLineage *b)
{
	return strcmp(a->record_id, b->record_id) == 0 && bi_texts_equal(a->columns, b->columns) &&
		bi_texts_equal(a->key_columns, b->key_columns) && bi_texts_equal(a->key, b->key);
}

/* Looks at the row, unless the last look was the same. */
static void
look_for(Look *one, const BiLineage *write)
{
	ErrorData  *error;

	if (one->write && is_same_look(one->write, write))
		return;
	one->write = write;
	one->prints = NULL;
	error = bi_xact_try(look, one);
	one->failed = error != NULL;
	if (error && bi_blame(error->sqlerrcode) != BI_BLAME_VALUE &&
		bi_blame(error->sqlerrcode) != BI_BLAME_CODE &&
		bi_blame(error->sqlerrcode) != BI_BLAME_TARGET)
		ReThrowError(error);
}

static Holds
holds(Look *one, const BiLineage *write)
{
	if (write->reverted)
		return HOLDS_NOT;
	if (write->print == NULL)
		return HOLDS_UNKNOWN;
	look_for(one, write);
	if (one->failed)
		return HOLDS_UNKNOWN;
	return bi_lineage_holds(write, one->prints) ? HOLDS : HOLDS_NOT;
}

/* A text of the result; NULL is NULL. */
static void
set_text(Datum *value, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*value = text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* The row of the result for one column of a write. */
static void
put_column(ReturnSetInfo *result, const BiLineage *write, const char *column, bool words,
		   Holds current)
{
	Datum		values[12] = {0};
	bool		nulls[12] = {0};

	set_text(&values[0], &nulls[0], column);
	values[1] = Int64GetDatum(write->job_id);
	set_text(&values[2], &nulls[2], write->pipeline);
	values[3] = Int32GetDatum(write->version);
	nulls[3] = write->version == 0;
	set_text(&values[4], &nulls[4], write->server);
	set_text(&values[5], &nulls[5], write->model);
	set_text(&values[6], &nulls[6], words ? write->job->spec.prompt : NULL);
	set_text(&values[7], &nulls[7], "batch");
	set_text(&values[8], &nulls[8], write->record_id);
	values[9] = TimestampTzGetDatum(write->finished_at);
	values[10] = write->cost;
	nulls[10] = write->cost == (Datum) 0;
	values[11] = BoolGetDatum(current == HOLDS);
	nulls[11] = current == HOLDS_UNKNOWN;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* True if the user may see the words of users and providers in this job. */
static bool
is_visible(const BiLineage *write, Oid user)
{
	Oid			owner = bi_job_role(write->job);

	return has_privs_of_role(user, ROLE_PG_READ_ALL_DATA) ||
		(OidIsValid(owner) && has_privs_of_role(user, owner));
}

static void
put_write(ReturnSetInfo *result, Look *one, const BiLineage *write, Oid user)
{
	bool		words = is_visible(write, user);
	Holds		current;
	ListCell   *cell;

	if (!words && !has_privs_of_role(user, ROLE_PG_MONITOR))
		return;
	current = holds(one, write);
	foreach(cell, write->columns)
	{
		const char *column = lfirst(cell);

		if (column && get_attnum(one->relid, column) > 0 &&
			bi_target_has_right(one->relid, column, user, ACL_SELECT))
			put_column(result, write, column, words, current);
	}
}

/* batch_lineage(target regclass, key text) RETURNS TABLE(...): a row for each column that a job has
 * written, the last job first. */
Datum
batchinf_lineage(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			user = GetUserId();
	Look		one = {0};
	List	   *writes;
	ListCell   *cell;

	for (int i = 0; i < 2; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", i == 0 ? "target" : "key")));
	InitMaterializedSRF(fcinfo, 0);
	one.relid = PG_GETARG_OID(0);
	require_select(one.relid, user);
	one.role = choose_reader(one.relid, user);
	bi_sql_connect();
	one.cxt = CurrentMemoryContext;
	writes = bi_lineage_find(one.relid, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	foreach(cell, writes)
		put_write(result, &one, lfirst(cell), user);
	bi_sql_finish();
	return (Datum) 0;
}
