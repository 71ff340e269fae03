/*
 * store/job.c: the table batchinf.job.
 *
 * The arguments of batch_submit are in spec.  What the owner wants since is in columns that only
 * calls of users write.  The end is written once, by the process that sees it first.  Knows no
 * provider.
 */
#include "postgres.h"

#include "base/digest.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/after.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/keep.h"
#include "store/notify.h"
#include "store/result.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

int64
bi_job_reserve(void)
{
	bi_sql_run("SELECT nextval('batchinf.job_job_id_seq')", NULL);
	return bi_sql_int8(0, 1);
}

/* In a statement of its own: until ALTER EXTENSION UPDATE the table may lack the column. */
static void
insert_digest(const BiJob *job)
{
	BiArgs		args = {0};

	if (job->digest == NULL || !bi_sql_has_column("job", "digest"))
		return;
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg(&args, BYTEAOID,
			   PointerGetDatum(bi_digest_bytea(job->digest, BI_DIGEST_SIZE)), false);
	bi_sql_run("UPDATE batchinf.job SET digest = $2 WHERE job_id = $1", &args);
}

void
bi_job_insert(const BiJob *job, int64 records, int64 skipped)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, job->name);
	bi_sql_arg_text(&args, bi_spec_to_json(&job->spec, superuser_arg(job->owner)));
	bi_sql_arg_oid(&args, job->owner);
	bi_sql_arg_text(&args, GetUserNameFromId(job->owner, false));
	bi_sql_arg_oid(&args, job->server);
	bi_sql_arg_text(&args, job->server_name);
	bi_sql_arg_oid(&args, job->target);
	bi_sql_arg_text(&args, job->target_name);
	bi_sql_arg_text(&args, job->spec.model);
	bi_sql_arg_text(&args, bi_spec_task(job->spec.task));
	bi_sql_arg_int8(&args, records);
	bi_sql_arg_int8(&args, skipped);
	bi_sql_arg_time(&args, job->deadline);
	bi_sql_run("INSERT INTO batchinf.job (job_id, install, database, name, spec, owner, owner_name,"
			   " server, server_name,"
			   " target, target_name, model, task, records, skipped, deadline, ended, finished_at)"
			   " OVERRIDING SYSTEM VALUE"
			   " SELECT $1, h.uuid, h.database, $2, $3::jsonb, $4, $5::name, $6, $7::name, $8, $9,"
			   " $10, $11, $12, $13, $14,"
			   " CASE WHEN $12 = $13 THEN 'completed' END, CASE WHEN $12 = $13 THEN now() END"
			   " FROM batchinf.here h", &args);
	insert_digest(job);
	if (records == skipped)
	{
		bi_notify_mark(job->id, true);
		bi_keep_begin(job->id);
	}
}

BiJob *
bi_job_load(MemoryContext cxt, int64 job_id)
{
	BiArgs		args = {0};
	BiJob	   *job;

	bi_sql_arg_int8(&args, job_id);
	if (bi_sql_run("SELECT j.name, j.owner, j.server, j.server_name, j.target, j.target_name,"
				   " j.paused, j.cancelled_at IS NOT NULL, j.deadline,"
				   " NOT (j.install = h.uuid AND j.database = h.database), j.owner_name,"
				   " COALESCE((j.spec->>'owner_superuser')::bool, false), j.ended IS NOT NULL"
				   " FROM batchinf.job j, batchinf.here h WHERE j.job_id = $1", &args) == 0)
		return NULL;
	job = MemoryContextAllocZero(cxt, sizeof(BiJob));
	job->id = job_id;
	job->name = bi_sql_text(cxt, 0, 1);
	job->owner = bi_sql_int8(0, 2);
	job->server = bi_sql_int8(0, 3);
	job->server_name = bi_sql_text(cxt, 0, 4);
	job->target = bi_sql_int8(0, 5);
	job->target_name = bi_sql_text(cxt, 0, 6);
	job->paused = bi_sql_bool(0, 7);
	job->cancelled = bi_sql_bool(0, 8);
	job->deadline = bi_sql_time(0, 9);
	job->foreign = bi_sql_bool(0, 10);
	job->owner_name = bi_sql_text(cxt, 0, 11);
	job->owner_superuser = bi_sql_bool(0, 12);
	job->ended = bi_sql_bool(0, 13);
	bi_spec_read(cxt, job_id, &job->spec);
	return job;
}

Oid
bi_job_role(const BiJob *job)
{
	if (job->foreign)
		return get_role_oid(job->owner_name, true);
	return GetUserNameFromId(job->owner, true) ? job->owner : InvalidOid;
}

BiJob *
bi_job_require(MemoryContext cxt, int64 job_id, const char *what)
{
	BiJob	   *job = bi_job_load(cxt, job_id);

	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("batch job " INT64_FORMAT " does not exist", job_id)));
	if (!has_privs_of_role(GetUserId(), bi_job_role(job)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s batch job " INT64_FORMAT, what, job_id),
				 errhint("Only its owner, or a member of that role, may do this.")));
	if (!job->ended)
		bi_job_refuse_foreign(job, what);
	return job;
}

void
bi_job_refuse_foreign(const BiJob *job, const char *what)
{
	if (job->foreign)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot %s batch job " INT64_FORMAT ": it belongs to another installation",
						what, job->id),
				 errhint("Use batch_adopt(" INT64_FORMAT ") to let it go on here.", job->id)));
}

bool
bi_job_cancel(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	return bi_sql_run("UPDATE batchinf.job SET cancelled_at = COALESCE(cancelled_at, now())"
					  " WHERE job_id = $1 AND ended IS NULL", &args) > 0;
}

bool
bi_job_pause(int64 job_id, bool paused)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_bool(&args, paused);
	if (!bi_sql_has_column("job", "paused_at"))
		return bi_sql_run("UPDATE batchinf.job SET paused = $2 WHERE job_id = $1 AND ended IS NULL",
						  &args) > 0;
	return bi_sql_run("UPDATE batchinf.job SET paused = $2, paused_at = CASE WHEN NOT $2 THEN NULL"
					  "  WHEN paused THEN paused_at ELSE now() END"
					  " WHERE job_id = $1 AND ended IS NULL", &args) > 0;
}

void
bi_job_lock(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT FROM batchinf.job WHERE job_id = $1 FOR NO KEY UPDATE", &args);
}

void
bi_job_reopen(int64 job_id, bool send_again)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_bool(&args, send_again);
	bi_sql_run("UPDATE batchinf.job SET paused = paused AND ended IS NULL, ended = NULL,"
			   " finished_at = NULL, error = NULL,"
			   " cancelled_at = CASE WHEN NOT $2 THEN cancelled_at END,"
			   " deadline = CASE WHEN NOT $2 OR deadline > now() THEN deadline END"
			   " WHERE job_id = $1", &args);
	bi_keep_end(job_id);
	bi_notify_mark(job_id, false);
}

void
bi_job_adopt(const BiJob *job, Oid owner, Oid server, Oid target)
{
	BiArgs		args = {0};
	BiArgs		id = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_int8(&id, job->id);
	bi_sql_arg_oid(&args, owner);
	bi_sql_arg_text(&args, GetUserNameFromId(owner, false));
	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, target);
	bi_sql_arg_bool(&args, superuser_arg(owner));
	bi_sql_arg_bool(&args, job->foreign);
	bi_sql_run("UPDATE batchinf.job j SET install = h.uuid, database = h.database, owner = $2,"
			   " owner_name = $3::name,"
			   " server = $4, target = $5, spec = (CASE WHEN $7 THEN j.spec - 'aim'"
			   " ELSE j.spec END) || jsonb_build_object('owner_superuser', $6)"
			   " FROM batchinf.here h WHERE j.job_id = $1", &args);
	if (bi_sql_has_column("chunk", "server"))
		bi_sql_run("UPDATE batchinf.chunk c SET owner = j.owner, server = j.server"
				   " FROM batchinf.job j WHERE j.job_id = c.job_id AND j.job_id = $1"
				   " AND (c.owner, c.server) IS DISTINCT FROM (j.owner, j.server)", &id);
	/* Release the chunks of a foreign job: their holder works elsewhere.  The holder of a chunk of
	 * our own may be in a paid call. */
	if (job->foreign)
		bi_sql_run("UPDATE batchinf.chunk SET holder_pid = NULL, holder_start = NULL"
				   " WHERE job_id = $1", &id);
	bi_chunk_hurry(job->id);
	if (job->foreign)
		bi_keep_begin(job->id);
}

List *
bi_job_foreign_ids(MemoryContext cxt)
{
	MemoryContext old;
	List	   *ids = NIL;
	int64		n = bi_sql_run("SELECT j.job_id FROM batchinf.job j, batchinf.here h"
							   " WHERE NOT (j.install = h.uuid AND j.database = h.database)"
							   " ORDER BY 1", NULL);

	old = MemoryContextSwitchTo(cxt);
	for (int64 i = 0; i < n; i++)
	{
		int64	   *id = palloc(sizeof(int64));

		*id = bi_sql_int8(i, 1);
		ids = lappend(ids, id);
	}
	MemoryContextSwitchTo(old);
	return ids;
}

/* Jobs of ours that have not ended, but all of whose chunks have. */
#define OURS_OVER \
	"batchinf.job j JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database" \
	" WHERE j.ended IS NULL AND NOT EXISTS (SELECT FROM batchinf.chunk k" \
	"  WHERE k.job_id = j.job_id AND (k.next_step_at IS NOT NULL OR k.write_waiting > 0)" \
	"   AND (k.state <> 'cleaning' OR k.write_waiting > 0))"

/* How their chunks ended: a job has failed if all its batches have. */
#define SUMS_OF_OVER \
	"SELECT o.job_id, o.cancelled," \
	"  bool_and(b.batch_end IS NOT DISTINCT FROM 'failed')" \
	" FILTER (WHERE k.chunk_id IS NOT NULL AND k.copies IS NULL) AS failed," \
	"  max(k.error) FILTER (WHERE b.batch_end = 'failed') AS error," \
	"  COALESCE(sum(k.succeeded), 0) AS succeeded, COALESCE(sum(k.written), 0) AS written" \
	"  FROM ended o LEFT JOIN batchinf.chunk k ON k.job_id = o.job_id" \
	"  LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries GROUP BY 1, 2"

/* The error of a job that failed, or the most frequent one, with its count, of a job without any
 * success or without any written answer; NULL for other jobs. */
#define COMMONEST_ERROR \
	"CASE WHEN o.failed THEN o.error WHEN o.cancelled THEN NULL WHEN o.succeeded = 0 THEN" \
	" (SELECT format('%s of %s records ended as %s: %s', count(*), j.records, s.outcome," \
	" left(min(COALESCE(s.error, s.error_code)), 1000))" \
	"   FROM batchinf.record r JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq" \
	" AND s.attempt = r.attempt" \
	"   WHERE r.job_id = j.job_id AND s.outcome <> 'skipped' GROUP BY s.outcome, s.error_code" \
	" ORDER BY count(*) DESC, s.outcome LIMIT 1)" \
	" WHEN o.written = 0 AND j.target <> 0 THEN" \
	" (SELECT format('%s of %s answers have the write state %s: %s', count(*), o.succeeded," \
	" s.write_state, left(min(s.write_error), 1000))" \
	"   FROM batchinf.record r JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq" \
	" AND s.attempt = r.attempt" \
	"   WHERE r.job_id = j.job_id AND s.write_state NOT IN ('written', 'reverted')" \
	" GROUP BY s.write_state" \
	" ORDER BY count(*) DESC, s.write_state LIMIT 1) END"

/*
 * Locks the jobs of OURS_OVER, of those with these ids, or all if ids is NULL, and adds their ids
 * as an argument.  Sets *n to how many there are.  False if others have locked some.  Whether
 * they are over is decided by a later statement, which sees what a batch_retry has committed
 * meanwhile.
 */
static bool
lock_finished(const int64 *ids, int nids, BiArgs *args, int *n)
{
	BiArgs		over = {0};
	Datum	   *items = palloc(sizeof(Datum) * (nids + 1));
	int64		found;

	for (int i = 0; i < nids; i++)
		items[i] = Int64GetDatum(ids[i]);
	bi_sql_arg_bool(&over, ids == NULL);
	bi_sql_arg_array(&over, INT8OID, items, NULL, nids);
	found = bi_sql_rerun("WITH o AS MATERIALIZED (SELECT j.job_id FROM " OURS_OVER
						 "  AND ($1 OR j.job_id = ANY ($2))),"
						 " l AS MATERIALIZED (SELECT j.job_id FROM batchinf.job j"
						 "  WHERE j.job_id IN (SELECT job_id FROM o)"
						 "  FOR NO KEY UPDATE SKIP LOCKED)"
						 " SELECT l.job_id FROM o LEFT JOIN l ON l.job_id = o.job_id"
						 " ORDER BY l.job_id NULLS LAST", &over);
	items = palloc(sizeof(Datum) * (found + 1));
	for (*n = 0; *n < found && bi_sql_int8(*n, 1) != 0; (*n)++)
		items[*n] = Int64GetDatum(bi_sql_int8(*n, 1));
	bi_sql_arg_array(args, INT8OID, items, NULL, *n);
	return *n == found;
}

bool
bi_job_finish(const int64 *ids, int nids)
{
	BiArgs		args = {0};
	int			locked;
	bool		all = lock_finished(ids, nids, &args, &locked);
	Datum	   *ended;
	int64		n;

	if (locked == 0)
		return all;
	n = bi_sql_rerun("WITH ended AS (SELECT j.job_id, j.cancelled_at IS NOT NULL AS cancelled FROM "
					 OURS_OVER " AND j.job_id = ANY ($1)),"
					 " over AS (" SUMS_OF_OVER "),"
					 " done AS (UPDATE batchinf.job j SET finished_at = now(), to_announce = true,"
					 "   kept_since = now(), keep_until = now() + (j.spec->>'keep')::interval,"
					 "   ended = CASE WHEN o.cancelled THEN 'cancelled' WHEN o.failed THEN 'failed'"
					 " ELSE 'completed' END,"
					 "   error = " COMMONEST_ERROR
					 "   FROM over o WHERE j.job_id = o.job_id"
					 " RETURNING j.job_id, j.ended, j.records)"
					 " SELECT job_id, ended, records FROM done", &args);
	ended = palloc(sizeof(Datum) * (n + 1));
	for (int64 i = 0; i < n; i++)
	{
		ended[i] = Int64GetDatum(bi_sql_int8(i, 1));
		ereport(LOG,
				(errmsg("batch job " INT64_FORMAT " has ended: %s, " INT64_FORMAT " records",
						bi_sql_int8(i, 1), bi_sql_text(CurrentMemoryContext, i, 2),
						bi_sql_int8(i, 3))));
	}
	bi_after_wake(ended, (int) n);
	return all;
}
