/*
 * store/once.c: calls that make one job, however often they are made.
 *
 * The table batchinf.call has a row for each key of each role.  It is written before the records
 * are, so that two calls at once do not both read the query.  The role is known by its name, as in
 * batchinf.job: in a restored database the oids are others.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/once.h"
#include "store/sql.h"

/* Raises an error if the call of that row gave other arguments. */
static void
compare(const char *key, const BiArgs *args)
{
	char	   *others;

	bi_sql_run("SELECT string_agg(COALESCE(a.key, b.key), ', ' ORDER BY COALESCE(a.key, b.key))"
			   " FROM (SELECT e.* FROM batchinf.call c, jsonb_each_text(c.given) e"
			   "  WHERE c.owner_name = $1::name AND c.key = $2) a"
			   " FULL JOIN jsonb_each_text($3::jsonb) b ON b.key = a.key"
			   " WHERE a.value IS DISTINCT FROM b.value", args);
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
	int64		first;

	bi_sql_arg_text(&args, GetUserNameFromId(GetUserId(), false));
	bi_sql_arg_text(&args, key);
	bi_sql_arg_text(&args, given);
	bi_sql_arg_int8(&args, job_id);
	if (bi_sql_run("INSERT INTO batchinf.call (owner_name, key, given, job_id)"
				   " VALUES ($1::name, $2, $3::jsonb, $4) ON CONFLICT DO NOTHING", &args) > 0)
		return 0;
	bi_sql_run("SELECT c.job_id FROM batchinf.call c"
			   " WHERE c.owner_name = $1::name AND c.key = $2", &args);
	first = bi_sql_int8(0, 1);
	compare(key, &args);
	return first;
}
