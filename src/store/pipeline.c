/*
 * store/pipeline.c: pipelines, their versions, and what was answered.
 *
 * What was answered is remembered by the row's key, with a hash of what was sent: of the row's
 * input, and of all that is sent with each row (BiSpec's digest).  It stands in a table of its own,
 * so that nothing that is done to jobs makes a row due again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "base/digest.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/after.h"
#include "store/pipeline.h"
#include "store/rewrite.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* So many bytes of a SHA-256 are kept. */
#define HASH_BYTES 16

/* What load reads, in its order. */
#define COLUMNS \
	"SELECT p.pipeline_id, p.name, NOT o.ours, p.paused, p.version, v.given::text," \
	" v.settings::text, v.custom::text, COALESCE(p.min_rows, 0)," \
	" COALESCE(p.due_since <= now() - p.max_age, false)," \
	" CASE WHEN o.ours THEN (SELECT r.oid FROM pg_roles r WHERE r.oid = p.owner)" \
	"  ELSE (SELECT r.oid FROM pg_roles r WHERE r.rolname = p.owner_name) END," \
	" p.owner_superuser" \
	" FROM batchinf.pipeline p" \
	" LEFT JOIN batchinf.pipeline_version v" \
	"  ON v.pipeline_id = p.pipeline_id AND v.version = p.version" \
	" CROSS JOIN LATERAL (SELECT p.install = h.uuid AND p.database = h.database" \
	"  FROM batchinf.here h) o(ours)"

static BiPipeline *
read_row(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	BiPipeline *pipeline = palloc0(sizeof(BiPipeline));

	pipeline->id = (int) bi_sql_int8(0, 1);
	pipeline->name = bi_sql_text(cxt, 0, 2);
	pipeline->foreign = bi_sql_bool(0, 3);
	pipeline->paused = bi_sql_bool(0, 4);
	pipeline->version = (int) bi_sql_int8(0, 5);
	pipeline->given = bi_sql_text(cxt, 0, 6);
	pipeline->settings = bi_sql_text(cxt, 0, 7);
	pipeline->custom = bi_sql_text(cxt, 0, 8);
	pipeline->min_rows = (int) bi_sql_int8(0, 9);
	pipeline->is_overdue = bi_sql_bool(0, 10);
	pipeline->owner = (Oid) bi_sql_int8(0, 11);
	pipeline->owner_superuser = bi_sql_bool(0, 12);
	return pipeline;
}

BiPipeline *
bi_pipeline_require(const char *name)
{
	BiArgs		args = {0};

	/* The lock first: what is read after it is what the one before us has left. */
	bi_sql_arg_text(&args, name);
	bi_sql_run("SELECT FROM batchinf.pipeline p WHERE p.name = $1 FOR NO KEY UPDATE", &args);
	if (bi_sql_run(COLUMNS " WHERE p.name = $1", &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist", name)));
	return read_row();
}

BiPipeline *
bi_pipeline_load(int id)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, id);
	if (bi_sql_run("SELECT FROM batchinf.pipeline p WHERE p.pipeline_id = $1"
				   " FOR NO KEY UPDATE SKIP LOCKED", &args) == 0)
		return NULL;
	bi_sql_run(COLUMNS " WHERE p.pipeline_id = $1", &args);
	return read_row();
}

void
bi_pipeline_check_rights(const BiPipeline *pipeline, const char *what)
{
	if (!has_privs_of_role(GetUserId(), pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s pipeline \"%s\"", what, pipeline->name),
				 errhint("Only its owner, or a member of that role, may do this.")));
}

/* Those of ours that are refreshed by themselves, and when each is due: at its time, or once a job
 * of the pipeline that it comes after has ended. */
#define OURS_WITH_TIME \
	" FROM batchinf.pipeline p JOIN batchinf.here h ON h.uuid = p.install" \
	"  AND h.database = p.database" \
	" CROSS JOIN LATERAL (SELECT LEAST(p.next_refresh, (SELECT min(e.at)" \
	"  FROM batchinf.pipeline_ended e WHERE e.pipeline_id = p.pipeline_id))) t(at)" \
	" WHERE t.at IS NOT NULL AND NOT p.paused"

int
bi_pipeline_due(int *ids, Oid *owners, int max)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int4(&args, max);
	n = bi_sql_run("SELECT p.pipeline_id, p.owner" OURS_WITH_TIME
				   " AND t.at <= clock_timestamp() ORDER BY t.at LIMIT $1", &args);
	for (int64 i = 0; i < n; i++)
	{
		ids[i] = (int) bi_sql_int8(i, 1);
		owners[i] = (Oid) bi_sql_int8(i, 2);
	}
	return (int) n;
}

TimestampTz
bi_pipeline_next(void)
{
	bi_sql_rerun("SELECT min(t.at)" OURS_WITH_TIME, NULL);
	return bi_sql_time(0, 1);
}

/* What was answered */

/* Returns what an answer to this input is remembered by: a bytea, palloc'd. */
static Datum
hash_of(const char *digest, const char *input)
{
	uint8		bytes[BI_DIGEST_SIZE];
	char		hex[BI_DIGEST_HEX];

	bi_digest_of(input, bytes);
	bi_digest_hex(bytes, hex);
	bi_digest_of(psprintf("%s %s", digest, hex), bytes);
	return PointerGetDatum(bi_digest_bytea(bytes, HASH_BYTES));
}

/* The same in SQL, of record r and job j. */
#define HASH_OF_RECORD \
	"substr(sha256(convert_to((j.spec->>'digest') || ' ' || encode(r.input_hash, 'hex')," \
	" 'UTF8')), 1, 16)"

/* True in SQL if a is the answered row of u. */
#define IS_OF_ROW "a.pipeline_id = $1 AND a.key = batchinf.answered_key(u.key)"

/* Rows are looked for one after the other.  OFFSET 0 keeps the planner from reading all rows of the
 * pipeline instead. */
#define OF_ROWS \
	" FROM (SELECT f.place, u.hash FROM unnest($2, $3) u(key, hash), LATERAL" \
	"  (SELECT a.ctid AS place FROM batchinf.answered a" \
	"   WHERE " IS_OF_ROW " OFFSET 0) f) u WHERE a.ctid = u.place"

/* Adds the keys of the rows, and what their answers are remembered by, as arguments. */
static void
arg_rows(BiArgs *args, const char *digest, const BiPipelineAsk *rows, int n)
{
	Datum	   *keys = palloc(sizeof(Datum) * (n + 1));
	Datum	   *hashes = palloc(sizeof(Datum) * (n + 1));

	for (int i = 0; i < n; i++)
	{
		keys[i] = CStringGetTextDatum(rows[i].key);
		hashes[i] = hash_of(digest, rows[i].input);
	}
	bi_sql_arg_array(args, TEXTOID, keys, NULL, n);
	bi_sql_arg_array(args, BYTEAOID, hashes, NULL, n);
}

/* Adds an answered row, by its place in the table.  True if it was there.  The query's snapshot,
 * held by the refresh, keeps a place from being given to another row meanwhile. */
static bool
see(Bitmapset **seen, MemoryContext cxt, ItemPointer place)
{
	int64		number = (int64) ItemPointerGetBlockNumber(place) * MaxHeapTuplesPerPage
		+ ItemPointerGetOffsetNumber(place);
	MemoryContext old;

	if (number > PG_INT32_MAX)	/* beyond 57 GB of answered rows */
		return false;
	if (bms_is_member((int) number, *seen))
		return true;
	old = MemoryContextSwitchTo(cxt);
	*seen = bms_add_member(*seen, (int) number);
	MemoryContextSwitchTo(old);
	return false;
}

/* Sets whether row i of the last result, that of the row, was answered with another value.  Then it
 * has changed. */
static void
judge_value(BiPipelineAsk *row, int64 i)
{
	bool		isnull;
	Datum		value = bi_sql_datum(i, 4, &isnull);

	row->moved = isnull || memcmp(DatumGetUUIDP(value), row->value, sizeof(pg_uuid_t)) != 0;
	if (row->moved && (row->state == BI_ROW_ANSWERED || row->state == BI_ROW_KEPT ||
					   row->state == BI_ROW_FAILED))
		row->state = BI_ROW_CHANGED;
}

void
bi_pipeline_judge(const BiPipeline *pipeline, const char *digest, BiPipelineAsk *rows, int n,
				  Bitmapset **seen, MemoryContext cxt)
{
	BiArgs		args = {0};
	int64		found;

	for (int i = 0; i < n; i++)
	{
		rows[i].state = BI_ROW_NEW;
		rows[i].again = rows[i].moved = false;
	}
	bi_sql_arg_int4(&args, pipeline->id);
	arg_rows(&args, digest, rows, n);
	/* the numbers are those of BiPipelineRow */
	found = bi_sql_run("SELECT u.n, CASE WHEN a.hash = '' THEN 2 WHEN a.hash <> u.hash THEN 1"
					   "  WHEN a.failed AND a.at + p.retry_failed_after <= now() THEN 3"
					   "  WHEN a.failed THEN 4 WHEN a.written THEN 5"
					   /* an answer that is kept no longer cannot be written any more */
					   "  WHEN EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = a.job_id"
					   "   AND j.results_removed_at IS NULL) THEN 6 ELSE 2 END, a.place, a.value"
					   " FROM batchinf.pipeline p, unnest($2, $3) WITH ORDINALITY u(key, hash, n),"
					   " LATERAL (SELECT *, a.ctid AS place FROM batchinf.answered a"
					   "  WHERE " IS_OF_ROW " OFFSET 0) a"
					   " WHERE p.pipeline_id = $1", &args);
	for (int64 i = 0; i < found; i++)
	{
		BiPipelineAsk *row = &rows[bi_sql_int8(i, 1) - 1];
		bool		isnull;
		Datum		place = bi_sql_datum(i, 3, &isnull);

		row->state = (BiPipelineRow) bi_sql_int8(i, 2);
		row->again = seen && see(seen, cxt, (ItemPointer) DatumGetPointer(place));
		if (row->value)
			judge_value(row, i);
	}
}

void
bi_pipeline_mark_current(const BiPipeline *pipeline, const char *digest,
						 const BiPipelineAsk *rows, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	arg_rows(&args, digest, rows, n);
	bi_sql_run("UPDATE batchinf.answered a SET is_current = true" OF_ROWS
			   " AND a.hash = u.hash", &args);
}

void
bi_pipeline_unmark(const BiPipeline *pipeline)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_run("UPDATE batchinf.answered SET is_current = NULL"
			   " WHERE pipeline_id = $1 AND is_current", &args);
}

void
bi_pipeline_rebase(const BiPipeline *pipeline, const char *digest, const BiPipelineAsk *rows, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	arg_rows(&args, digest, rows, n);
	bi_sql_run("UPDATE batchinf.answered a SET hash = u.hash, is_current = NULL" OF_ROWS
			   " AND a.is_current", &args);
}

void
bi_pipeline_write_kept(const BiPipeline *pipeline, const BiPipelineAsk *rows, int n)
{
	BiArgs		args = {0};
	Datum	   *keys = palloc(sizeof(Datum) * (n + 1));
	Datum	   *holds = palloc(sizeof(Datum) * (n + 1));
	Datum	   *jobs;
	Datum	   *seqs;
	int			m = 0;
	int64		found;

	for (int i = 0; i < n; i++)
	{
		if (rows[i].state != BI_ROW_KEPT)
			continue;
		keys[m] = CStringGetTextDatum(rows[i].key);
		holds[m++] = rows[i].holds != 0 ? rows[i].holds : PointerGetDatum(cstring_to_text(""));
	}
	if (m == 0)
		return;
	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg_array(&args, TEXTOID, keys, NULL, m);
	bi_sql_arg_array(&args, BYTEAOID, holds, NULL, m);
	/* the lock: outputs that are written are not removed meanwhile */
	found = bi_sql_run("WITH j AS MATERIALIZED (SELECT j.job_id FROM batchinf.job j"
					   "   WHERE j.ended IS NOT NULL AND j.results_removed_at IS NULL"
					   "   AND j.job_id IN"
					   "    (SELECT f.job_id FROM unnest($2, $3) u(key, hash), LATERAL"
					   "    (SELECT a.job_id, a.tried FROM batchinf.answered a"
					   "     WHERE " IS_OF_ROW " OFFSET 0) f"
					   "    WHERE f.tried IS DISTINCT FROM u.hash)"
					   "   ORDER BY j.job_id FOR NO KEY UPDATE)"
					   " UPDATE batchinf.answered a SET tried = u.hash" OF_ROWS
					   " AND a.tried IS DISTINCT FROM u.hash"
					   " AND a.job_id IN (SELECT j.job_id FROM j)"
					   " RETURNING a.job_id, a.seq", &args);
	jobs = palloc(sizeof(Datum) * (found + 1));
	seqs = palloc(sizeof(Datum) * (found + 1));
	for (int64 i = 0; i < found; i++)
	{
		jobs[i] = Int64GetDatum(bi_sql_int8(i, 1));
		seqs[i] = Int64GetDatum(bi_sql_int8(i, 2));
	}
	bi_rewrite_records(jobs, seqs, (int) found);
}

void
bi_pipeline_answer(const BiJob *job, const BiResult *results, int n)
{
	BiArgs		args = {0};
	Datum	   *seqs;
	int			m = 0;

	if (job->spec.pipeline == 0)
		return;
	seqs = palloc(sizeof(Datum) * (n + 1));
	for (int i = 0; i < n; i++)
		if (results[i].known)
			seqs[m++] = Int64GetDatum(results[i].seq);
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, m);
	bi_sql_run("INSERT INTO batchinf.answered (pipeline_id, key, hash, version, failed, written,"
			   "   job_id, seq, at, value)"
			   " SELECT p.pipeline_id, batchinf.answered_key(r.record_id), "
			   "   " HASH_OF_RECORD ","
			   "   (j.spec->>'version')::int, s.outcome <> 'succeeded',"
			   "   s.write_state IS NULL OR s.write_state = 'written', r.job_id, r.seq, now(),"
			   "   r.value"
			   " FROM batchinf.job j, unnest($2) u(seq),"
			   " LATERAL (SELECT * FROM batchinf.record r WHERE r.job_id = $1 AND r.seq = u.seq"
			   "  LIMIT 1) r,"
			   " LATERAL (SELECT * FROM batchinf.result s WHERE s.job_id = $1 AND s.seq = u.seq"
			   "  AND s.attempt = r.attempt LIMIT 1) s, batchinf.pipeline p"
			   " WHERE j.job_id = $1 AND p.pipeline_id = (j.spec->>'pipeline')::int"
			   " AND s.outcome IN ('succeeded', 'errored', 'invalid_output')"
			   " ON CONFLICT (pipeline_id, key) DO UPDATE SET hash = EXCLUDED.hash,"
			   "  version = EXCLUDED.version, failed = EXCLUDED.failed,"
			   "  written = EXCLUDED.written, job_id = EXCLUDED.job_id, seq = EXCLUDED.seq,"
			   "  at = EXCLUDED.at, value = EXCLUDED.value,"
			   "  tried = CASE WHEN answered.job_id = EXCLUDED.job_id"
			   "   AND answered.seq = EXCLUDED.seq THEN answered.tried END"
			   " WHERE answered.job_id <= EXCLUDED.job_id", &args);
}

void
bi_pipeline_count_values(const BiPipeline *pipeline, const pg_uuid_t *values, int n, int64 *counts)
{
	BiArgs		args = {0};
	int64		found;

	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg_uuids(&args, values, n);
	found = bi_sql_run("SELECT u.n, (SELECT count(*) FROM batchinf.answered a"
					   "  WHERE a.pipeline_id = $1 AND a.value = u.value)"
					   " FROM unnest($2) WITH ORDINALITY u(value, n)", &args);
	for (int64 i = 0; i < found; i++)
		counts[bi_sql_int8(i, 1) - 1] = bi_sql_int8(i, 2);
}

void
bi_pipeline_forget_values(const BiPipeline *pipeline, const pg_uuid_t *values, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg_uuids(&args, values, n);
	bi_sql_run("DELETE FROM batchinf.answered a USING unnest($2) u(value)"
			   " WHERE a.pipeline_id = $1 AND a.value = u.value", &args);
}

void
bi_pipeline_written(const BiJob *job, const pg_uuid_t *values, int n)
{
	BiArgs		args = {0};

	if (job->spec.pipeline == 0)
		return;
	bi_sql_arg_int4(&args, job->spec.pipeline);
	bi_sql_arg_uuids(&args, values, n);
	bi_sql_arg_int8(&args, job->id);
	bi_sql_run("UPDATE batchinf.answered a SET written = true FROM unnest($2) u(value)"
			   " WHERE a.pipeline_id = $1 AND a.value = u.value AND a.job_id = $3"
			   " AND NOT a.written AND NOT a.failed", &args);
}

/* Refreshes */

void
bi_pipeline_note(const BiPipeline *pipeline, const BiPipelineRows *rows, int64 job_id,
				 const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline->id);
	bi_sql_arg(&args, INT8OID, Int64GetDatum(job_id), job_id == 0);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_int8(&args, rows->rows);
	bi_sql_arg_int8(&args, rows->answered);
	bi_sql_arg_int8(&args, rows->due);
	bi_sql_arg_int8(&args, rows->in_flight);
	bi_sql_arg_int8(&args, rows->failed);
	bi_sql_run("UPDATE batchinf.pipeline p SET last_refresh = now(), last_error = $3,"
			   " last_job_id = COALESCE($2, p.last_job_id), failures = 0, rows = $4, answered = $5,"
			   " due = $6, in_flight = $7, failed = $8,"
			   " due_since = CASE WHEN $6 > 0 THEN COALESCE(p.due_since, now()) END,"
			   " regular = t.at, next_refresh = t.at"
			   " FROM batchinf.pipeline q JOIN batchinf.pipeline_version v"
			   "  ON v.pipeline_id = q.pipeline_id AND v.version = q.version,"
			   " LATERAL batchinf.next_time(q.regular, q.every, v.settings->>'TimeZone',"
			   "  clock_timestamp()) t(at)"
			   " WHERE p.pipeline_id = $1 AND q.pipeline_id = $1", &args);
}

void
bi_pipeline_note_try(int id)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, id);
	bi_sql_run("UPDATE batchinf.pipeline SET last_refresh = now(),"
			   " failures = failures + 1, next_refresh = clock_timestamp()"
			   "  + LEAST(interval '1 minute' * (1 << LEAST(failures, 10)), interval '12 hours')"
			   " WHERE pipeline_id = $1", &args);
	bi_after_take(id);
}

void
bi_pipeline_note_error(int id, const char *error)
{
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, id);
	bi_sql_arg_text(&args, error);
	bi_sql_run("UPDATE batchinf.pipeline SET last_error = $2 WHERE pipeline_id = $1", &args);
}
