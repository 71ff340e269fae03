/*
 * store/once.c: calls that make one job, however often they are made.
 *
 * The table batchinf.call has a row for each key of each role.  It is written before the records
 * are, so that two calls at once do not both read the query.  The role is known by its oid, so that
 * it may be renamed; in a restored database, where oids are others, by the name that it had.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/once.h"
#include "store/sql.h"

/* Finds the call with that key.  False if there is none.  args: the role, its name, the key. */
static bool
find(const BiArgs *args, int64 *job_id, char **given)
{
	if (bi_sql_run("SELECT c.job_id, c.given FROM batchinf.call c, batchinf.here h,"
				   " LATERAL (SELECT c.install = h.uuid AND c.database = h.database) o(ours)"
				   " WHERE c.key = $3"
				   " AND CASE WHEN o.ours THEN c.owner = $1 ELSE c.owner_name = $2::name END"
				   " ORDER BY o.ours DESC LIMIT 1", args) == 0)
		return false;
	*job_id = bi_sql_int8(0, 1);
	*given = bi_sql_text(CurrentMemoryContext, 0, 2);
	return true;
}

/* Raises an error if the first call gave other arguments. */
static void
compare(const char *key, const char *first, const char *given)
{
	BiArgs		args = {0};
	char	   *others;

	bi_sql_arg_text(&args, first);
	bi_sql_arg_text(&args, given);
	bi_sql_run("SELECT string_agg(COALESCE(a.key, b.key), ', ' ORDER BY COALESCE(a.key, b.key))"
			   " FROM jsonb_each_text($1::jsonb) a"
			   " FULL JOIN jsonb_each_text($2::jsonb) b ON b.key = a.key"
			   " WHERE a.value IS DISTINCT FROM b.value", &args);
	others = bi_sql_text(CurrentMemoryContext, 0, 1);
	if (others)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idempotency_key \"%s\" was used with other arguments", key),
				 errdetail("What differs: %s.", others),
				 errhint("Give each batch job a key of its own.")));
}

int64
bi_once_first(const char *key, const char *given, int64 job_id)
{
	BiArgs		args = {0};
	BiArgs		call;
	int64		first;
	char	   *first_given;

	bi_sql_arg_oid(&args, GetUserId());
	bi_sql_arg_text(&args, GetUserNameFromId(GetUserId(), false));
	bi_sql_arg_text(&args, key);
	call = args;
	bi_sql_arg_text(&call, given);
	bi_sql_arg_int8(&call, job_id);
	if (!find(&args, &first, &first_given))
	{
		if (bi_sql_run("INSERT INTO batchinf.call (install, database, owner, owner_name, key,"
					   "  given, job_id)"
					   " SELECT h.uuid, h.database, $1, $2::name, $3, $4::jsonb, $5"
					   " FROM batchinf.here h ON CONFLICT DO NOTHING", &call) > 0)
			return 0;
		/* Another call made it meanwhile. */
		if (!find(&args, &first, &first_given))
			elog(ERROR, "the call with this idempotency_key is gone");
	}
	compare(key, first_given, given);
	return first;
}
