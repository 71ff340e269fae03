/*
 * store/job.c: the table batchinf.job.
 *
 * What batch_submit was told stands in spec; the owner's wishes are columns that only
 * user calls write; the end is written here, once, by whoever sees it first.  Knows no
 * provider.  Called by api/ and engine/.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/notify.h"
#include "store/rate.h"
#include "store/result.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

static const char *const task_names[] = {"chat", "embedding"};
static const char *const input_names[] = {"text", "messages", "body"};

int64
bi_job_reserve(void)
{
	bi_sql_run("SELECT nextval('batchinf.job_job_id_seq')", NULL);
	return bi_sql_int8(0, 1);
}

static void
append_text(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

static void
append_json(StringInfo out, const char *name, const char *json)
{
	appendStringInfo(out, "%s\"%s\":%s", out->len > 1 ? "," : "", name, json ? json : "null");
}

static char *
key_to_json(const List *key)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	foreach(cell, key)
	{
		appendStringInfoChar(&out, out.len == 0 ? '[' : ',');
		escape_json(&out, lfirst(cell));
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

/* What is sent to a model stands in it as text, for jsonb would sort its members.  Jobs of 0.1.0
 * have it as objects: ->> reads both.  by_superuser is no column: 0.1.0's tables take the jobs of
 * this library too, until they are updated. */
static char *
spec_to_json(const BiSpec *spec, bool by_superuser)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	append_text(&out, "query", spec->query);
	append_text(&out, "prompt", spec->prompt);
	append_text(&out, "system_prompt", spec->system_prompt);
	append_text(&out, "model", spec->model);
	append_text(&out, "task", task_names[spec->task]);
	append_text(&out, "input", input_names[spec->input]);
	if (spec->endpoint)
		append_text(&out, "endpoint", spec->endpoint);
	append_json(&out, "key", key_to_json(spec->key));
	append_json(&out, "write_back", spec->write_back);
	append_text(&out, "response_schema", spec->response_schema);
	append_text(&out, "params", spec->params);
	append_json(&out, "max_attempts", psprintf("%d", spec->max_attempts));
	append_json(&out, "owner_superuser", by_superuser ? "true" : "false");
	append_json(&out, "settings", spec->settings);
	append_json(&out, "aim", spec->aim);
	if (spec->max_failure_rate)
		append_json(&out, "max_failure_rate", spec->max_failure_rate);
	appendStringInfoChar(&out, '}');
	return out.data;
}

void
bi_job_insert(const BiJob *job, int64 records, int64 skipped)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, job->name);
	bi_sql_arg_text(&args, spec_to_json(&job->spec, superuser_arg(job->owner)));
	bi_sql_arg_oid(&args, job->owner);
	bi_sql_arg_text(&args, GetUserNameFromId(job->owner, false));
	bi_sql_arg_oid(&args, job->server);
	bi_sql_arg_text(&args, job->server_name);
	bi_sql_arg_oid(&args, job->target);
	bi_sql_arg_text(&args, job->target_name);
	bi_sql_arg_text(&args, job->spec.model);
	bi_sql_arg_text(&args, task_names[job->spec.task]);
	bi_sql_arg_int8(&args, records);
	bi_sql_arg_int8(&args, skipped);
	bi_sql_arg_time(&args, job->deadline);
	bi_sql_run("INSERT INTO batchinf.job (job_id, install, database, name, spec, owner, owner_name, server, server_name,"
			   " target, target_name, model, task, records, skipped, deadline, ended, finished_at)"
			   " OVERRIDING SYSTEM VALUE"
			   " SELECT $1, h.uuid, h.database, $2, $3::jsonb, $4, $5::name, $6, $7::name, $8, $9, $10, $11, $12, $13, $14,"
			   " CASE WHEN $12 = $13 THEN 'completed' END, CASE WHEN $12 = $13 THEN now() END FROM batchinf.here h", &args);
	if (records == skipped)
		bi_notify_mark(job->id, true);
}

static int
parse_word(const char *word, const char *const *words, int n)
{
	for (int i = 0; word && i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown word \"%s\" in the specification of a batch job", word ? word : "NULL")));
}

/* The names of the key columns, in their order. */
static List *
read_key(MemoryContext cxt, int64 job_id)
{
	BiArgs		args = {0};
	List	   *key = NIL;
	MemoryContext old;
	int64		n;

	bi_sql_arg_int8(&args, job_id);
	n = bi_sql_run("SELECT e.v FROM batchinf.job j, jsonb_array_elements_text(j.spec->'key') WITH ORDINALITY e(v, i)"
				   " WHERE j.job_id = $1 ORDER BY e.i", &args);
	old = MemoryContextSwitchTo(cxt);
	for (int64 i = 0; i < n; i++)
		key = lappend(key, bi_sql_text(cxt, i, 1));
	MemoryContextSwitchTo(old);
	return key;
}

BiJob *
bi_job_load(MemoryContext cxt, int64 job_id)
{
	BiArgs		args = {0};
	BiJob	   *job;

	bi_sql_arg_int8(&args, job_id);
	if (bi_sql_run("SELECT j.name, j.owner, j.server, j.server_name, j.target, j.target_name, j.paused, j.cancelled_at IS NOT NULL,"
				   " j.deadline, NOT (j.install = h.uuid AND j.database = h.database), j.spec->>'query', j.spec->>'prompt',"
				   " j.spec->>'system_prompt', j.spec->>'model', j.spec->>'task', j.spec->>'input', j.spec->>'write_back',"
				   " j.spec->>'response_schema', j.spec->>'params', (j.spec->>'max_attempts')::int, j.owner_name,"
				   " COALESCE((j.spec->>'owner_superuser')::bool, false), j.spec->>'settings',"
				   " j.spec->>'endpoint', j.ended IS NOT NULL, j.spec->>'aim', j.spec->>'max_failure_rate'"
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
	job->spec.query = bi_sql_text(cxt, 0, 11);
	job->spec.prompt = bi_sql_text(cxt, 0, 12);
	job->spec.system_prompt = bi_sql_text(cxt, 0, 13);
	job->spec.model = bi_sql_text(cxt, 0, 14);
	job->spec.task = parse_word(bi_sql_text(cxt, 0, 15), task_names, lengthof(task_names));
	job->spec.input = parse_word(bi_sql_text(cxt, 0, 16), input_names, lengthof(input_names));
	job->spec.write_back = bi_sql_text(cxt, 0, 17);
	job->spec.response_schema = bi_sql_text(cxt, 0, 18);
	job->spec.params = bi_sql_text(cxt, 0, 19);
	job->spec.max_attempts = bi_sql_int8(0, 20);
	job->owner_name = bi_sql_text(cxt, 0, 21);
	job->owner_superuser = bi_sql_bool(0, 22);
	job->spec.settings = bi_sql_text(cxt, 0, 23);
	job->spec.endpoint = bi_sql_text(cxt, 0, 24);
	job->spec.aim = bi_sql_text(cxt, 0, 26);
	job->spec.max_failure_rate = bi_sql_text(cxt, 0, 27);
	job->ended = bi_sql_bool(0, 25);
	job->spec.key = read_key(cxt, job_id);
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
				 errmsg("cannot %s batch job " INT64_FORMAT ": it belongs to another installation", what, job->id),
				 errhint("Use batch_adopt(" INT64_FORMAT ") to let it go on here.", job->id)));
}

bool
bi_job_cancel(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	return bi_sql_run("UPDATE batchinf.job SET cancelled_at = COALESCE(cancelled_at, now()) WHERE job_id = $1 AND ended IS NULL", &args) > 0;
}

bool
bi_job_pause(int64 job_id, bool paused)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_bool(&args, paused);
	if (!bi_sql_has_column("job", "paused_at"))
		return bi_sql_run("UPDATE batchinf.job SET paused = $2 WHERE job_id = $1 AND ended IS NULL", &args) > 0;
	if (bi_sql_run("UPDATE batchinf.job SET paused = $2, paused_at = CASE WHEN NOT $2 THEN NULL WHEN paused THEN paused_at ELSE now() END"
				   " WHERE job_id = $1 AND ended IS NULL", &args) == 0)
		return false;
	if (!paused)
		bi_rate_restart(job_id);
	return true;
}

void
bi_job_lock(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT FROM batchinf.job WHERE job_id = $1 FOR NO KEY UPDATE", &args);
}

/* One new chunk for each old one: never larger than a chunk may be. */
static int64
retry_chunk(const BiJob *job, int64 old_id, Datum outcomes)
{
	BiArgs		args = {0};
	BiChunk		chunk = {0};

	chunk.id = bi_chunk_reserve();
	chunk.job_id = job->id;
	bi_chunk_new_intent(chunk.intent);
	bi_sql_arg_int8(&args, old_id);
	bi_sql_arg(&args, TEXTARRAYOID, outcomes, false);
	bi_sql_arg_int8(&args, chunk.id);
	bi_sql_run("WITH moved AS (UPDATE batchinf.record r SET chunk_id = $3, attempt = b.attempt + 1"
			   "   FROM batchinf.result s, (SELECT max(attempt) AS attempt FROM batchinf.record WHERE chunk_id = $1) b"
			   "   WHERE r.chunk_id = $1 AND s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt AND s.outcome = ANY ($2)"
			   "   RETURNING r.attempt, s.outcome),"
			   " counts AS (SELECT max(attempt) AS attempt, count(*) AS n, count(*) FILTER (WHERE outcome = 'errored') AS errored,"
			   "   count(*) FILTER (WHERE outcome = 'expired') AS expired, count(*) FILTER (WHERE outcome = 'missing') AS missing,"
			   "   count(*) FILTER (WHERE outcome = 'invalid_output') AS invalid_output,"
			   "   count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled FROM moved)"
			   " UPDATE batchinf.chunk c SET errored = c.errored - m.errored, expired = c.expired - m.expired,"
			   "   missing = c.missing - m.missing, invalid_output = c.invalid_output - m.invalid_output,"
			   "   cancelled = c.cancelled - m.cancelled, retried = c.retried + m.n"
			   " FROM counts m WHERE c.chunk_id = $1"
			   " RETURNING m.attempt, m.n, c.bytes * m.n / GREATEST(c.records, 1), c.tokens * m.n / GREATEST(c.records, 1)", &args);
	chunk.attempt = bi_sql_int8(0, 1);
	chunk.attempts_left = job->spec.max_attempts - 1;
	chunk.records = bi_sql_int8(0, 2);
	chunk.bytes = bi_sql_int8(0, 3);
	chunk.tokens = bi_sql_int8(0, 4);
	bi_chunk_insert(&chunk);
	return chunk.records;
}

int64
bi_job_retry(const BiJob *job, Datum outcomes)
{
	BiArgs		args = {0};
	int64		n;
	int64	   *ids;
	int64		records = 0;

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg(&args, TEXTARRAYOID, outcomes, false);
	/* The job first, then its chunks in their order: nobody else locks them so long. */
	bi_job_lock(job->id);
	n = bi_sql_run("SELECT DISTINCT r.chunk_id FROM batchinf.record r JOIN batchinf.result s"
				   " ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt"
				   " WHERE r.job_id = $1 AND s.outcome = ANY ($2) AND r.chunk_id IN"
				   "  (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.job_id = $1 AND c.state IN ('cleaning', 'done', 'cancelled', 'failed'))"
				   " ORDER BY 1", &args);
	ids = palloc(sizeof(int64) * (n + 1));
	for (int64 i = 0; i < n; i++)
		ids[i] = bi_sql_int8(i, 1);
	for (int64 i = 0; i < n; i++)
		records += retry_chunk(job, ids[i], outcomes);
	if (records > 0)
	{
		BiArgs		again = {0};

		bi_sql_arg_int8(&again, job->id);
		bi_sql_run("UPDATE batchinf.job SET paused = paused AND ended IS NULL, ended = NULL, finished_at = NULL, error = NULL, cancelled_at = NULL,"
				   " deadline = CASE WHEN deadline > now() THEN deadline END WHERE job_id = $1", &again);
		bi_rate_restart(job->id);
		bi_notify_mark(job->id, false);
	}
	return records;
}

void
bi_job_adopt(const BiJob *job, Oid owner, Oid server, Oid target)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_oid(&args, owner);
	bi_sql_arg_text(&args, GetUserNameFromId(owner, false));
	bi_sql_arg_oid(&args, server);
	bi_sql_arg_oid(&args, target);
	bi_sql_arg_bool(&args, superuser_arg(owner));
	bi_sql_arg_bool(&args, job->foreign);
	bi_sql_run("UPDATE batchinf.job j SET install = h.uuid, database = h.database, owner = $2, owner_name = $3::name,"
			   " server = $4, target = $5, spec = (CASE WHEN $7 THEN j.spec - 'aim' ELSE j.spec END) || jsonb_build_object('owner_superuser', $6)"
			   " FROM batchinf.here h WHERE j.job_id = $1", &args);
	/* Whoever holds a chunk of our own may be in the midst of a paid call; of a foreign one, he does not work here. */
	args.n = 1;
	if (job->foreign)
		bi_sql_run("UPDATE batchinf.chunk SET holder_pid = NULL, holder_start = NULL WHERE job_id = $1", &args);
	bi_chunk_hurry(job->id);
}

List *
bi_job_foreign_ids(MemoryContext cxt)
{
	MemoryContext old;
	List	   *ids = NIL;
	int64		n = bi_sql_run("SELECT j.job_id FROM batchinf.job j, batchinf.here h"
							   " WHERE NOT (j.install = h.uuid AND j.database = h.database) ORDER BY 1", NULL);

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

#define OURS_UNENDED \
	"batchinf.job j JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database" \
	" CROSS JOIN LATERAL (SELECT bool_and(k.state IN ('cleaning', 'done', 'cancelled', 'failed') AND k.write_waiting = 0) AS over," \
	"   bool_and(k.batch_end IS NOT DISTINCT FROM 'failed') AS failed," \
	"   max(k.error) FILTER (WHERE k.batch_end = 'failed') AS error," \
	"   COALESCE(sum(k.succeeded), 0) AS succeeded, COALESCE(sum(k.written), 0) AS written" \
	"   FROM batchinf.chunk k WHERE k.job_id = j.job_id) f" \
	" WHERE j.ended IS NULL AND f.over IS NOT FALSE"

/* The commonest reason of a job none of whose records has succeeded, or none of whose answers
 * was written, with its count; NULL for other jobs. */
#define COMMONEST_ERROR \
	"CASE WHEN o.failed THEN o.error WHEN o.cancelled THEN NULL WHEN o.succeeded = 0 THEN" \
	" (SELECT format('%s of %s records ended as %s: %s', count(*), j.records, s.outcome, left(min(COALESCE(s.error, s.error_code)), 1000))" \
	"   FROM batchinf.record r JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt" \
	"   WHERE r.job_id = j.job_id AND s.outcome <> 'skipped' GROUP BY s.outcome, s.error_code ORDER BY count(*) DESC, s.outcome LIMIT 1)" \
	" WHEN o.written = 0 AND j.target <> 0 THEN" \
	" (SELECT format('%s of %s answers are %s: %s', count(*), o.succeeded, s.write_state, left(min(s.write_error), 1000))" \
	"   FROM batchinf.record r JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt" \
	"   WHERE r.job_id = j.job_id AND s.write_state <> 'written' GROUP BY s.write_state ORDER BY count(*) DESC, s.write_state LIMIT 1) END"

/* Locks them; whether they are over is asked again by a statement that sees what a
 * batch_retry has committed meanwhile. */
static bool
lock_finished(BiArgs *args)
{
	int64		n = bi_sql_run("SELECT j.job_id FROM " OURS_UNENDED " FOR NO KEY UPDATE OF j SKIP LOCKED", NULL);
	Datum	   *ids = palloc(sizeof(Datum) * (n + 1));

	for (int64 i = 0; i < n; i++)
		ids[i] = Int64GetDatum(bi_sql_int8(i, 1));
	bi_sql_arg_array(args, INT8OID, ids, NULL, (int) n);
	return n > 0;
}

void
bi_job_finish_due(void)
{
	BiArgs		args = {0};
	int64		n;

	if (!lock_finished(&args))
		return;
	n = bi_sql_run("WITH over AS (SELECT j.job_id, j.cancelled_at IS NOT NULL AS cancelled, f.failed, f.error, f.succeeded, f.written FROM "
				   OURS_UNENDED " AND j.job_id = ANY ($1)),"
				   " done AS (UPDATE batchinf.job j SET finished_at = now(), to_announce = true,"
				   "   ended = CASE WHEN o.cancelled THEN 'cancelled' WHEN o.failed THEN 'failed' ELSE 'completed' END,"
				   "   error = " COMMONEST_ERROR
				   "   FROM over o WHERE j.job_id = o.job_id RETURNING j.job_id, j.ended, j.records)"
				   " SELECT job_id, ended, records FROM done", &args);
	for (int64 i = 0; i < n; i++)
		ereport(LOG,
				(errmsg("batch job " INT64_FORMAT " has ended: %s, " INT64_FORMAT " records",
						bi_sql_int8(i, 1), bi_sql_text(CurrentMemoryContext, i, 2), bi_sql_int8(i, 3))));
}
