/*
 * store/notify.c: the mark on jobs whose end is not announced yet, and the announcement.
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "storage/lmgr.h"
#include "store/notify.h"
#include "store/sql.h"

/* How many jobs one transaction announces. */
#define ANNOUNCE_MAX "1000"

/* In a session: until ALTER EXTENSION UPDATE our tables may be those of an older version. */
void
bi_notify_mark(int64 job_id, bool to_announce)
{
	BiArgs		args = {0};

	if (!bi_sql_has_column("job", "to_announce"))
		return;
	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_bool(&args, to_announce);
	bi_sql_run("UPDATE batchinf.job SET to_announce = $2 WHERE job_id = $1 AND to_announce <> $2",
			   &args);
}

bool
bi_notify_is_due(void)
{
	return bi_sql_run("SELECT FROM batchinf.job j, batchinf.here h WHERE j.to_announce"
					  " AND j.install = h.uuid AND j.database = h.database LIMIT 1", NULL) > 0;
}

/* Every listener of the database gets this: it must have no text of a user or a provider. */
void
bi_notify_send(void)
{
	/* The commit of a NOTIFY takes this lock, without a lock_timeout.  Take it here first, with
	 * one. */
	LockSharedObject(DatabaseRelationId, InvalidOid, 0, AccessExclusiveLock);
	bi_sql_run("WITH ended AS (SELECT k.job_id FROM batchinf.job k, batchinf.here h"
			   "   WHERE k.to_announce AND k.install = h.uuid AND k.database = h.database"
			   "   ORDER BY k.finished_at, k.job_id LIMIT " ANNOUNCE_MAX
			   "   FOR NO KEY UPDATE OF k SKIP LOCKED),"
			   " told AS (UPDATE batchinf.job j SET to_announce = false FROM ended e"
			   " WHERE j.job_id = e.job_id RETURNING j.job_id)"
			   " SELECT pg_notify('batchinf', json_build_object('job_id', s.job_id, 'state',"
			   " s.state, 'records', s.records,"
			   "   'succeeded', s.succeeded, 'invalid_output', s.invalid_output, 'errored',"
			   " s.errored, 'expired', s.expired,"
			   "   'cancelled', s.cancelled, 'missing', s.missing, 'skipped', s.skipped,"
			   "   'written', s.written, 'write_failed', s.write_failed)::text)"
			   " FROM told t JOIN batchinf.job_status s ON s.job_id = t.job_id"
			   " ORDER BY s.finished_at, s.job_id", NULL);
}
