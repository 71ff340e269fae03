/*
 * store/inflight.c: which rows of a target are in open jobs: batchinf.in_flight.
 *
 * A row there says: this job has that row of that table for that column.  The table is the topmost
 * one, if the target is a partition; a row is known by the hash of its key (keyhash.c).  The unique
 * index is what keeps a row from being in two open jobs, whatever transactions do at once.  Rows
 * are inserted in the order of their hashes, so that two submits wait for each other's rows, never
 * in a circle.
 *
 * A job whose owner wished to send what others have already (in_flight => 'send') has its rows
 * there too, beside theirs: "other" is its id then.
 *
 * When a job ends its rows are free at once, because whoever meets them looks whether the job is
 * open.  They are removed in pieces afterwards.
 *
 * Rows are looked for by table and hash, one after the other.  OFFSET 0 keeps the planner from
 * reading all rows of the table instead, and "job_id + 0" from the other index, where a large job
 * has very many.
 *
 * In a restored database a table has another oid, and the jobs are foreign.  So a table is known by
 * a number made of the install, the database and its oid, and the rows of foreign jobs are looked
 * for by the name of their target.  They hold until their job is adopted or deleted.
 *
 * A partition that is detached is another table from then on, and one that is attached is its new
 * parent.  Rows of jobs that have it as their target are found under the number that it had.
 */
#include "postgres.h"

#include "base/crash.h"
#include "base/digest.h"
#include "catalog/pg_type.h"
#include "store/aim.h"
#include "store/inflight.h"
#include "store/keyhash.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* So many rows of jobs that have ended are removed at once. */
#define SWEEP_ROWS 20000

struct BiInflight
{
	BiKeyHash  *keyhash;		/* NULL: a key is its text */
	int64		job_id;
	BiInFlight	wish;
	int64		target;			/* the number of the topmost table */
	int			ncolumns;
	Datum	   *columns;		/* numbers of the columns to be written, int2 */
	int			nkeys;
	Datum	   *keys;			/* the same of the key */
	int			nforeign;		/* open jobs that have its rows under another number: */
	Datum	   *foreign_jobs;	/* their ids, int8, ... */
	Datum	   *foreign_targets;	/* ... and the numbers of their tables */
};

bool
bi_inflight_exists(void)
{
	return bi_sql_has_column("in_flight", "hash");
}

/* Returns the numbers that these columns (BiTargetColumn) have in the topmost table, int2. */
static Datum *
column_numbers(Oid root, const List *columns, int *n)
{
	Datum	   *numbers = palloc(sizeof(Datum) * (list_length(columns) + 1));
	ListCell   *cell;

	*n = 0;
	foreach(cell, columns)
		numbers[(*n)++] = Int16GetDatum(get_attnum(root, ((BiTargetColumn *) lfirst(cell))->name));
	return numbers;
}

/* Returns the number of a table of this database. */
static int64
number_of(Oid root)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, root);
	bi_sql_run("SELECT hashtextextended(concat_ws(' ', h.uuid, h.database, $1), 0)"
			   " FROM batchinf.here h", &args);
	return bi_sql_int8(0, 1);
}

/* Finds open jobs that have rows of this root under another number: foreign ones, whose target has
 * the name of a table of it, and own ones, whose target had another root when they were made. */
static void
find_foreign(BiInflight *rows, Oid root)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int8(&args, rows->target);
	bi_sql_arg_int8(&args, rows->job_id);
	n = bi_sql_run("SELECT j.job_id, j.in_flight_target,"
				   " CASE WHEN j.install = h.uuid AND j.database = h.database THEN j.target"
				   "  ELSE to_regclass(j.target_name)::oid END"
				   " FROM batchinf.job j, batchinf.here h"
				   " WHERE j.ended IS NULL AND j.in_flight_target IS NOT NULL AND j.job_id <> $2"
				   " AND NOT (j.install = h.uuid AND j.database = h.database"
				   "  AND j.in_flight_target = $1)", &args);

	rows->foreign_jobs = palloc(sizeof(Datum) * (n + 1));
	rows->foreign_targets = palloc(sizeof(Datum) * (n + 1));
	for (int64 i = 0; i < n; i++)
	{
		Oid			relid = (Oid) bi_sql_int8(i, 3);

		if (!OidIsValid(relid) || bi_target_root(relid) != root)
			continue;
		rows->foreign_jobs[rows->nforeign] = Int64GetDatum(bi_sql_int8(i, 1));
		rows->foreign_targets[rows->nforeign++] = Int64GetDatum(bi_sql_int8(i, 2));
	}
}

/* Rows that are known by other columns cannot be compared. */
static void
check_key(const BiInflight *rows, const BiTarget *target)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, rows->target);
	bi_sql_arg_array(&args, INT2OID, rows->columns, NULL, rows->ncolumns);
	bi_sql_arg_array(&args, INT2OID, rows->keys, NULL, rows->nkeys);
	bi_sql_arg_int8(&args, rows->job_id);
	if (bi_sql_run("SELECT j.job_id, j.spec->>'key' FROM batchinf.job j, batchinf.here h"
				   " WHERE j.ended IS NULL AND j.in_flight_target = $1"
				   " AND j.in_flight_columns && $2 AND j.in_flight_key <> $3 AND j.job_id <> $4"
				   " AND j.install = h.uuid AND j.database = h.database LIMIT 1", &args) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("open batch job " INT64_FORMAT " knows the rows of %s by other key columns",
					bi_sql_int8(0, 1), target->name),
			 errdetail("Its key is %s, so it cannot be seen which rows both jobs would send.",
					   bi_sql_text(CurrentMemoryContext, 0, 2)),
			 errhint("Wait until that job has ended, give the argument \"key\" as there, or send"
					 " all rows with in_flight => 'send'.")));
}

BiInflight *
bi_inflight_open(const BiTarget *target, int64 job_id, BiInFlight wish)
{
	BiInflight *rows = palloc0(sizeof(BiInflight));
	Oid			root = bi_target_root(target->relid);

	rows->keyhash = bi_keyhash_new(target);
	rows->job_id = job_id;
	rows->wish = wish;
	rows->target = number_of(root);
	rows->columns = column_numbers(root, target->columns, &rows->ncolumns);
	rows->keys = column_numbers(root, target->keys, &rows->nkeys);
	if (wish == BI_IN_FLIGHT_SEND)
		return rows;
	find_foreign(rows, root);
	check_key(rows, target);
	return rows;
}

BiInflight *
bi_inflight_open_pipeline(int pipeline, int64 job_id)
{
	BiInflight *rows = palloc0(sizeof(BiInflight));
	BiArgs		args = {0};

	bi_sql_arg_int4(&args, pipeline);
	bi_sql_run("SELECT hashtextextended(concat_ws(' ', h.uuid, h.database, 'pipeline', $1), 0)"
			   " FROM batchinf.here h", &args);
	rows->target = bi_sql_int8(0, 1);
	rows->job_id = job_id;
	rows->columns = palloc0(sizeof(Datum));
	rows->ncolumns = 1;
	return rows;
}

void
bi_inflight_hash(const BiInflight *rows, const char *record_id, const List *key, pg_uuid_t *hash)
{
	uint8		digest[BI_DIGEST_SIZE];

	if (rows->keyhash)
	{
		bi_keyhash_set(rows->keyhash, record_id, key, hash);
		return;
	}
	bi_digest_of(record_id, digest);
	memcpy(hash->data, digest, sizeof(hash->data));
}

int
bi_inflight_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/* The arguments of most statements here: the table, the hashes, the columns, the job. */
static void
add_arguments(BiArgs *args, const BiInflight *rows, const pg_uuid_t *hashes, int n)
{
	bi_sql_arg_int8(args, rows->target);
	bi_sql_arg_uuids(args, hashes, n);
	bi_sql_arg_array(args, INT2OID, rows->columns, NULL, rows->ncolumns);
	bi_sql_arg_int8(args, rows->job_id);
}

/* Counts, for each hash, how many rows of the last result have it in its first column. */
static void
count_hashes(const pg_uuid_t *hashes, int n, int64 found, int *counts)
{
	memset(counts, 0, sizeof(int) * n);
	for (int64 i = 0; i < found; i++)
	{
		bool		isnull;
		const pg_uuid_t *hash = DatumGetUUIDP(bi_sql_datum(i, 1, &isnull));
		const pg_uuid_t *hit = bsearch(hash, hashes, n, sizeof(pg_uuid_t), bi_inflight_compare);

		if (hit)
			counts[hit - hashes]++;
	}
}

/* Rows that foreign jobs have are not taken. */
static void
leave_foreign(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *taken)
{
	BiArgs		args = {0};
	int		   *counts = palloc(sizeof(int) * n);
	int64		found;

	if (rows->nforeign == 0)
		return;
	add_arguments(&args, rows, hashes, n);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_jobs, NULL, rows->nforeign);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_targets, NULL, rows->nforeign);
	found = bi_sql_run("SELECT DISTINCT u.hash FROM unnest($2) u(hash), unnest($6) t(target),"
					   " LATERAL (SELECT f.job_id FROM batchinf.in_flight f"
					   "  WHERE f.target = t.target AND f.hash = u.hash OFFSET 0) f"
					   " WHERE f.job_id = ANY ($5)", &args);
	count_hashes(hashes, n, found, counts);
	for (int i = 0; i < n; i++)
		taken[i] = taken[i] && counts[i] == 0;
}

/* Removes rows of jobs that have ended, so that they are not in the way. */
static void
clear_way(const BiInflight *rows, const pg_uuid_t *hashes, int n)
{
	BiArgs		args = {0};

	/* mostly there is no such job */
	if (bi_sql_run("SELECT FROM batchinf.job j WHERE j.in_flight_left AND j.ended IS NOT NULL"
				   " LIMIT 1", NULL) == 0)
		return;
	add_arguments(&args, rows, hashes, n);
	args.n = 2;
	bi_sql_run("DELETE FROM batchinf.in_flight WHERE ctid = ANY (ARRAY(SELECT f.place"
			   " FROM unnest($2) u(hash), LATERAL (SELECT f.ctid AS place, f.job_id"
			   "  FROM batchinf.in_flight f WHERE f.target = $1 AND f.hash = u.hash OFFSET 0"
			   "  FOR UPDATE SKIP LOCKED) f"
			   " JOIN batchinf.job j ON j.job_id = f.job_id AND j.ended IS NOT NULL))", &args);
}

/* Inserts a row for each hash and column where there is none.  counts: of how many columns the job
 * has each hash then. */
static void
insert_free(const BiInflight *rows, const pg_uuid_t *hashes, int n, int *counts)
{
	BiArgs		args = {0};
	int64		found;

	add_arguments(&args, rows, hashes, n);
	found = bi_sql_run("INSERT INTO batchinf.in_flight (target, hash, col, job_id)"
					   " SELECT $1, u.hash, c.col, $4"
					   " FROM unnest($2) WITH ORDINALITY u(hash, n), unnest($3) c(col)"
					   " WHERE NOT EXISTS (SELECT FROM batchinf.in_flight f"
					   "  JOIN batchinf.job j ON j.job_id = f.job_id AND j.ended IS NULL"
					   "  WHERE f.target = $1 AND f.hash = u.hash AND f.col = c.col"
					   "  AND f.other <> 0 AND f.job_id <> $4 OFFSET 0)"
					   " ORDER BY u.n, c.col ON CONFLICT DO NOTHING RETURNING hash", &args);
	count_hashes(hashes, n, found, counts);
}

/* The same for the rows that others have, beside theirs. */
static void
insert_beside(const BiInflight *rows, const pg_uuid_t *hashes, int n)
{
	BiArgs		args = {0};

	add_arguments(&args, rows, hashes, n);
	bi_sql_run("INSERT INTO batchinf.in_flight (target, hash, col, job_id, other)"
			   " SELECT $1, u.hash, c.col, $4, $4"
			   " FROM unnest($2) WITH ORDINALITY u(hash, n), unnest($3) c(col)"
			   " WHERE NOT EXISTS (SELECT FROM batchinf.in_flight f WHERE f.target = $1"
			   "  AND f.hash = u.hash AND f.col = c.col AND f.job_id + 0 = $4 OFFSET 0)"
			   " ORDER BY u.n, c.col ON CONFLICT DO NOTHING", &args);
}

/* Returns those of n items that have the mark, or have it not, palloc'd, and how many they are. */
static pg_uuid_t *
pick(const pg_uuid_t *hashes, const bool *marks, bool mark, int *n)
{
	pg_uuid_t  *picked = palloc(sizeof(pg_uuid_t) * *n);
	int			m = 0;

	for (int i = 0; i < *n; i++)
		if (marks[i] == mark)
			picked[m++] = hashes[i];
	*n = m;
	return picked;
}

/* Which of the rows that were not inserted the job had already. */
static void
count_own(const BiInflight *rows, const pg_uuid_t *hashes, int n, int *counts)
{
	BiArgs		args = {0};
	int64		found;

	add_arguments(&args, rows, hashes, n);
	found = bi_sql_run("SELECT f.hash FROM unnest($2) u(hash), LATERAL (SELECT f.hash"
					   "  FROM batchinf.in_flight f WHERE f.target = $1 AND f.hash = u.hash"
					   "  AND f.col = ANY ($3) AND f.job_id + 0 = $4 OFFSET 0) f", &args);
	count_hashes(hashes, n, found, counts);
}

/* Gives rows back of which the job could take some columns only. */
static void
give_back(const BiInflight *rows, const pg_uuid_t *hashes, int n)
{
	BiArgs		args = {0};

	add_arguments(&args, rows, hashes, n);
	bi_sql_run("DELETE FROM batchinf.in_flight WHERE ctid = ANY (ARRAY(SELECT f.place"
			   " FROM unnest($2) u(hash), LATERAL (SELECT f.ctid AS place"
			   "  FROM batchinf.in_flight f WHERE f.target = $1 AND f.hash = u.hash"
			   "  AND f.col = ANY ($3) AND f.job_id + 0 = $4 OFFSET 0) f))", &args);
}

/* Takes rows that no foreign job has: sets taken of each. */
static void
take_free(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *taken)
{
	int		   *counts = palloc(sizeof(int) * n);
	bool		any_left = false;
	int			partly = 0;

	clear_way(rows, hashes, n);
	insert_free(rows, hashes, n, counts);
	for (int i = 0; i < n; i++)
		any_left = any_left || counts[i] < rows->ncolumns;
	if (any_left && rows->wish == BI_IN_FLIGHT_SEND)
		insert_beside(rows, hashes, n);
	if (any_left)
		count_own(rows, hashes, n, counts);
	for (int i = 0; i < n; i++)
	{
		taken[i] = counts[i] == rows->ncolumns;
		partly += !taken[i] && counts[i] > 0;
	}
	if (partly > 0)
		give_back(rows, pick(hashes, taken, false, &n), n);
}

void
bi_inflight_take(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *taken)
{
	bool	   *mine = palloc(sizeof(bool) * (n + 1));
	int			m = n;
	pg_uuid_t  *free_ones;
	int			next = 0;

	memset(taken, true, n);
	leave_foreign(rows, hashes, n, taken);
	free_ones = pick(hashes, taken, true, &m);
	if (m > 0)
		take_free(rows, free_ones, m, mine);
	for (int i = 0; i < n; i++)
		if (taken[i])
			taken[i] = mine[next++];
}

void
bi_inflight_look(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *held)
{
	BiArgs		args = {0};
	int64		found;

	memset(held, false, n);
	add_arguments(&args, rows, hashes, n);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_targets, NULL, rows->nforeign);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_jobs, NULL, rows->nforeign);
	found = bi_sql_run("SELECT u.n FROM unnest($2) WITH ORDINALITY u(hash, n) WHERE EXISTS"
					   " (SELECT FROM batchinf.in_flight f"
					   "  JOIN batchinf.job j ON j.job_id = f.job_id AND j.ended IS NULL"
					   "  WHERE f.target = ANY ($1 || $5) AND f.hash = u.hash"
					   "  AND CASE WHEN f.target = $1 THEN f.col = ANY ($3)"
					   "   ELSE f.job_id = ANY ($6) END AND f.job_id <> $4 OFFSET 0)",
					   &args);
	for (int64 i = 0; i < found; i++)
		held[bi_sql_int8(i, 1) - 1] = true;
}

int64
bi_inflight_holder(const BiInflight *rows, const pg_uuid_t *hash)
{
	BiArgs		args = {0};

	add_arguments(&args, rows, hash, 1);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_targets, NULL, rows->nforeign);
	bi_sql_arg_array(&args, INT8OID, rows->foreign_jobs, NULL, rows->nforeign);
	bi_sql_run("SELECT min(f.job_id) FROM batchinf.in_flight f"
			   " JOIN batchinf.job j ON j.job_id = f.job_id AND j.ended IS NULL"
			   " WHERE f.target = ANY ($1 || $5) AND f.hash = ANY ($2) AND f.job_id <> $4"
			   " AND CASE WHEN f.target = $1 THEN f.col = ANY ($3) ELSE f.job_id = ANY ($6) END",
			   &args);
	return bi_sql_int8(0, 1);
}

void
bi_inflight_note(const BiInflight *rows, int64 already)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, rows->job_id);
	bi_sql_arg_int8(&args, rows->target);
	bi_sql_arg_array(&args, INT2OID, rows->columns, NULL, rows->ncolumns);
	bi_sql_arg_array(&args, INT2OID, rows->keys, NULL, rows->nkeys);
	bi_sql_arg_int8(&args, already);
	bi_sql_run("UPDATE batchinf.job SET in_flight_target = $2, in_flight_columns = $3,"
			   " in_flight_key = $4, in_flight_left = true, already_in_flight = $5"
			   " WHERE job_id = $1", &args);
}

void
bi_inflight_hold(const BiInflight *rows)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, rows->job_id);
	bi_sql_run("UPDATE batchinf.job SET in_flight_left = true"
			   " WHERE job_id = $1 AND NOT in_flight_left", &args);
}

BiInflight *
bi_inflight_of_job(const BiJob *job, BiInFlight wish)
{
	bool		has_rows = OidIsValid(job->target) && !bi_spec_adds(&job->spec);
	BiAim	   *aim;
	BiSpec		now;

	if (!bi_inflight_exists() || (!has_rows && job->spec.pipeline == 0))
		return NULL;
	if (!has_rows)
		return bi_inflight_open_pipeline(job->spec.pipeline, job->id);
	aim = bi_aim_find(job);
	if (aim->why)
		return NULL;
	now = bi_aim_spec(job, aim);
	return bi_inflight_open(bi_target_open(aim->relid, &now), job->id, wish);
}

void
bi_inflight_adopt(const BiInflight *rows)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, rows->job_id);
	bi_sql_arg_int8(&args, rows->target);
	bi_sql_arg_array(&args, INT2OID, rows->columns, NULL, rows->ncolumns);
	bi_sql_arg_array(&args, INT2OID, rows->keys, NULL, rows->nkeys);
	bi_sql_run("WITH mine AS (DELETE FROM batchinf.in_flight WHERE job_id = $1 RETURNING hash)"
			   " INSERT INTO batchinf.in_flight (target, hash, col, job_id, other)"
			   " SELECT $2, m.hash, c.col, $1, $1 FROM (SELECT DISTINCT hash FROM mine) m,"
			   " unnest($3) c(col) ORDER BY m.hash, c.col ON CONFLICT DO NOTHING", &args);
	bi_sql_run("UPDATE batchinf.job SET in_flight_target = $2, in_flight_columns = $3,"
			   " in_flight_key = $4 WHERE job_id = $1 AND in_flight_target IS NOT NULL", &args);
}

bool
bi_inflight_sweep(void)
{
	BiArgs		args = {0};
	BiArgs		job = {0};

	if (bi_sql_run("SELECT j.job_id FROM batchinf.job j WHERE j.in_flight_left"
				   " AND j.ended IS NOT NULL LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED", NULL) == 0)
		return false;
	bi_sql_arg_int8(&args, bi_sql_int8(0, 1));
	bi_sql_arg_int8(&job, bi_sql_int8(0, 1));
	bi_sql_arg_int4(&args, SWEEP_ROWS);
	if (bi_sql_run("DELETE FROM batchinf.in_flight WHERE ctid = ANY (ARRAY(SELECT f.ctid"
				   " FROM batchinf.in_flight f WHERE f.job_id = $1 LIMIT $2"
				   " FOR UPDATE SKIP LOCKED))", &args) < SWEEP_ROWS)
		bi_sql_run("UPDATE batchinf.job SET in_flight_left = false WHERE job_id = $1", &job);
	BI_CRASH_POINT("ended", "sweep");
	return true;
}
