/*
 * store/after.c: pipelines that come after another one.
 *
 * A job that ends adds a row for each follower of its pipeline, in the transaction in which it ends
 * and may write its last rows.  A refresh of the follower takes away the rows that it sees, before
 * its query looks at the target: so the query sees what those jobs have written.  A row that is
 * committed later stays for the next refresh.  Times would not do: a refresh that begins between
 * the writing of the row and its commit is later than the row, and has not seen the job's last
 * answers.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/after.h"
#include "store/sql.h"

void
bi_after_wake(Datum *ids, int n)
{
	BiArgs		args = {0};

	if (n == 0 || !bi_sql_has_column("pipeline", "after"))
		return;
	bi_sql_arg_array(&args, INT8OID, ids, NULL, n);
	/* A row of its own: the pipelines may be locked by a refresh for long. */
	bi_sql_run("INSERT INTO batchinf.pipeline_ended (pipeline_id, at)"
			   " SELECT DISTINCT p.pipeline_id, clock_timestamp() FROM batchinf.job j"
			   " JOIN batchinf.pipeline a ON a.pipeline_id = (j.spec->>'pipeline')::int"
			   " JOIN batchinf.pipeline p ON p.after = a.name"
			   " WHERE j.job_id = ANY ($1)", &args);
}

void
bi_after_take(int id)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, id);
	/* Those of a dropped pipeline may be taken by several at once, and nobody waits for it. */
	bi_sql_run("WITH t AS (SELECT e.ctid FROM batchinf.pipeline_ended e"
			   "  WHERE e.pipeline_id = $1 OR NOT EXISTS (SELECT FROM batchinf.pipeline p"
			   "   WHERE p.pipeline_id = e.pipeline_id) FOR UPDATE SKIP LOCKED)"
			   " DELETE FROM batchinf.pipeline_ended e USING t WHERE e.ctid = t.ctid", &args);
}
