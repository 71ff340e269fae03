/*
 * store/keep.c: the texts of ended jobs, for as long as they are kept.
 *
 * Two kinds of texts go, each at its time: inputs (record.input), and results (output, reasoning).
 * The time is the job's argument "keep", or else a setting of each kind, counted from the end of
 * the job (kept_since).  The job's last chunk must be cleaned by then, because that adds events.
 * Errors and events may quote both kinds, so they go with the first of them, and again with the
 * second.  What stays says what was done and holds no text of a row: keys, hashes, outcomes, write
 * states, counts, tokens, the provider's ids.
 *
 * A job may have a million records, so its texts go in pieces, each in a transaction of its own:
 *
 *     inputs_removed_at   when the first piece was removed: from then on nothing may use them
 *     inputs_next         the seq where the next piece begins; NULL: nothing is left
 *
 * and the same for results.  After the last record come its events, then errors of its chunks and
 * its own.  A crash between two pieces loses nothing: the columns say where to go on.
 *
 * Whoever uses the texts of an ended job (retry.c, rewrite.c) locks the job first.  So does a
 * piece, and it passes over jobs that are locked.
 */
#include "postgres.h"

#include "base/guc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "store/keep.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* A piece has this many rows at most, and stops behind this many bytes as they are stored. */
#define PIECE_ROWS 1000
#define PIECE_BYTES (16 * 1024 * 1024)

/* A kind of texts: how they are removed, and where the job says so. */
typedef struct Kind
{
	const char *name;			/* for messages, and for batchinf.keeps */
	const char *setting;
	const char *begin;			/* notes that the removal begins */
	const char *removed_at;		/* reads since when they are removed */
	const char *piece;			/* finds the last seq of a piece */
	const char *remove[4];		/* statements that remove it; NULL: no more */
	const char *go_on;			/* notes where the next piece begins */
	const char *over;			/* notes that nothing is left */
} Kind;

/* Of an output with many items each has a row that may have old values of about this size. */
#define ITEM_BYTES "100"

/* The last seq of the piece that begins with $2.  No text is read for its size. */
#define PIECE(table, size) \
	"SELECT max(s.seq) FROM (SELECT u.seq, sum(u.size) OVER (ORDER BY u.seq ROWS BETWEEN" \
	"   UNBOUNDED PRECEDING AND 1 PRECEDING) AS before" \
	"  FROM (SELECT t.seq, " size " AS size FROM batchinf." table " t" \
	"   WHERE t.job_id = $1 AND t.seq >= $2 ORDER BY t.seq LIMIT $3) u) s" \
	" WHERE COALESCE(s.before, 0) < $4"

/* Results of the piece from $2 to $3.  A write that waits needs its output. */
#define RESULTS_OF_PIECE \
	" WHERE s.job_id = $1 AND s.seq BETWEEN $2 AND $3" \
	" AND s.write_state IS DISTINCT FROM 'waiting'"

static const Kind kinds[] = {
	[BI_KEPT_INPUTS] = {
		"inputs", "batchinf.keep_inputs",
		"UPDATE batchinf.job SET inputs_removed_at = now()"
		" WHERE job_id = $1 AND inputs_removed_at IS NULL",
		"SELECT inputs_removed_at, keep_until IS NOT NULL FROM batchinf.job WHERE job_id = $1",
		PIECE("record", "COALESCE(pg_column_size(t.input), 0)"),
		{
			"UPDATE batchinf.record SET input = NULL"
			" WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND input IS NOT NULL",
			"UPDATE batchinf.result s SET error = NULL, write_error = NULL" RESULTS_OF_PIECE
			" AND (s.error IS NOT NULL OR s.write_error IS NOT NULL)",
		},
		"UPDATE batchinf.job SET inputs_next = $2 WHERE job_id = $1",
		"UPDATE batchinf.job SET inputs_next = NULL, error = NULL WHERE job_id = $1",
	},
	[BI_KEPT_RESULTS] = {
		"results", "batchinf.keep_results",
		"UPDATE batchinf.job SET results_removed_at = now()"
		" WHERE job_id = $1 AND results_removed_at IS NULL",
		"SELECT results_removed_at, keep_until IS NOT NULL FROM batchinf.job WHERE job_id = $1",
		PIECE("result", "COALESCE(pg_column_size(t.output), 0)"
			  " + COALESCE(pg_column_size(t.reasoning), 0)"
			  " + COALESCE(t.items, 0) * " ITEM_BYTES),
		{
			"UPDATE batchinf.result s SET output = NULL, reasoning = NULL, error = NULL,"
			" write_error = NULL, old = NULL" RESULTS_OF_PIECE
			" AND (s.output IS NOT NULL OR s.reasoning IS NOT NULL OR s.error IS NOT NULL"
			"  OR s.write_error IS NOT NULL OR s.old IS NOT NULL)",
			"UPDATE batchinf.record SET columns = NULL"
			" WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND columns IS NOT NULL",
			"UPDATE batchinf.written SET old = NULL"
			" WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND old IS NOT NULL",
			"UPDATE batchinf.replaced SET old = NULL"
			" WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND old IS NOT NULL",
		},
		"UPDATE batchinf.job SET results_next = $2 WHERE job_id = $1",
		"UPDATE batchinf.job SET results_next = NULL, error = NULL WHERE job_id = $1",
	},
};

/* In a session: until ALTER EXTENSION UPDATE our tables may be those of an older version. */
static bool
exists(void)
{
	return bi_sql_has_column("job", "kept_since");
}

static void
add_job(BiArgs *args, int64 job_id)
{
	bi_sql_arg_int8(args, job_id);
}

void
bi_keep_begin(int64 job_id)
{
	BiArgs		args = {0};

	if (!exists())
		return;
	add_job(&args, job_id);
	bi_sql_run("UPDATE batchinf.job SET kept_since = now(),"
			   " keep_until = now() + (spec->>'keep')::interval"
			   " WHERE job_id = $1 AND ended IS NOT NULL", &args);
}

void
bi_keep_end(int64 job_id)
{
	BiArgs		args = {0};

	if (!exists())
		return;
	add_job(&args, job_id);
	bi_sql_run("UPDATE batchinf.job SET kept_since = NULL, keep_until = NULL, inputs_next = 0,"
			   " results_next = 0 WHERE job_id = $1", &args);
}

void
bi_keep_require(int64 job_id, BiKept kept, const char *what)
{
	const Kind *kind = &kinds[kept];
	BiArgs		args = {0};
	char	   *at;
	bool		given;

	if (!exists())
		return;
	add_job(&args, job_id);
	if (bi_sql_run(kind->removed_at, &args) == 0)
		return;
	at = bi_sql_text(CurrentMemoryContext, 0, 1);
	given = bi_sql_bool(0, 2);
	if (at == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot %s batch job " INT64_FORMAT ": its %s are removed", what, job_id,
					kind->name),
			 given ? errdetail("Its argument \"keep\" says how long they stay after its end."
							   " They were removed from %s on.", at)
			 : errdetail("Setting %s says how long they stay after its end. They were removed"
						 " from %s on.", kind->setting, at),
			 errhint("To send the rows again, call batch_submit for them.")));
}

TimestampTz
bi_keep_next(void)
{
	bi_sql_rerun("SELECT min(r.at) FROM batchinf.removable r", NULL);
	return bi_sql_time(0, 1);
}

/* The removal */

/* True in SQL if the inputs or results of job j are to be removed now. */
#define DUE(kind) \
	"(j." kind "_next IS NOT NULL" \
	" AND COALESCE(j.keep_until, j.kept_since + batchinf.keeps('" kind "')) <= now())"

/* Adds the ids of some jobs that are due.  Returns how many. */
static int
find_due(BiArgs *args)
{
	int64		n = bi_sql_run("SELECT r.job_id FROM batchinf.removable r WHERE r.at <= now()"
							   " ORDER BY r.at", NULL);
	Datum	   *ids = palloc(sizeof(Datum) * (n + 1));

	for (int64 i = 0; i < n; i++)
		ids[i] = Int64GetDatum(bi_sql_int8(i, 1));
	bi_sql_arg_array(args, INT8OID, ids, NULL, (int) n);
	return (int) n;
}

/* Locks one of these jobs that is still due.  False if others have locked them all. */
static bool
lock_one(const BiArgs *args, int64 *job_id, BiKept *kept, int64 *from)
{
	if (bi_sql_run("SELECT j.job_id, " DUE("inputs") ", j.inputs_next, j.results_next"
				   " FROM batchinf.job j WHERE j.job_id = ANY ($1) AND j.ended IS NOT NULL"
				   " AND (" DUE("inputs") " OR " DUE("results") ")"
				   " LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED", args) == 0)
		return false;
	*job_id = bi_sql_int8(0, 1);
	*kept = bi_sql_bool(0, 2) ? BI_KEPT_INPUTS : BI_KEPT_RESULTS;
	*from = bi_sql_int8(0, *kept == BI_KEPT_INPUTS ? 3 : 4);
	return true;
}

/* Removes texts of the next records.  False if there is no further record. */
static bool
remove_piece(const Kind *kind, int64 job_id, int64 from)
{
	BiArgs		args = {0};
	BiArgs		piece = {0};
	BiArgs		next = {0};
	int64		to;

	add_job(&args, job_id);
	bi_sql_arg_int8(&args, from);
	bi_sql_arg_int4(&args, PIECE_ROWS);
	bi_sql_arg_int8(&args, PIECE_BYTES);
	bi_sql_run(kind->piece, &args);
	to = bi_sql_int8(0, 1);
	if (to == 0)
		return false;
	add_job(&piece, job_id);
	bi_sql_arg_int8(&piece, from);
	bi_sql_arg_int8(&piece, to);
	for (int i = 0; i < lengthof(kind->remove) && kind->remove[i]; i++)
		bi_sql_run(kind->remove[i], &piece);
	add_job(&next, job_id);
	bi_sql_arg_int8(&next, to + 1);
	bi_sql_run(kind->go_on, &next);
	return true;
}

/* Removes events, then errors of chunks.  False if there are no more. */
static bool
remove_events(int64 job_id)
{
	BiArgs		args = {0};

	add_job(&args, job_id);
	bi_sql_arg_int4(&args, PIECE_ROWS);
	if (bi_sql_run("DELETE FROM batchinf.event WHERE event_id = ANY (ARRAY(SELECT e.event_id"
				   " FROM batchinf.event e WHERE e.job_id = $1 LIMIT $2))", &args) > 0)
		return true;
	return bi_sql_run("UPDATE batchinf.chunk SET error = NULL WHERE chunk_id = ANY (ARRAY("
					  " SELECT c.chunk_id FROM batchinf.chunk c"
					  " WHERE c.job_id = $1 AND c.error IS NOT NULL LIMIT $2))", &args) > 0;
}

BiKeepDone
bi_keep_remove(void)
{
	BiArgs		due = {0};
	BiArgs		args = {0};
	int64		job_id;
	int64		from;
	BiKept		kept;

	if (find_due(&due) == 0)
		return BI_KEEP_NOTHING;
	if (!lock_one(&due, &job_id, &kept, &from))
		return BI_KEEP_BUSY;
	add_job(&args, job_id);
	bi_sql_run(kinds[kept].begin, &args);
	if (!remove_piece(&kinds[kept], job_id, from) && !remove_events(job_id))
		bi_sql_run(kinds[kept].over, &args);
	return BI_KEEP_REMOVED;
}

PG_FUNCTION_INFO_V1(batchinf_keeps);

/* batchinf.keeps(kept text) RETURNS interval: the setting; NULL: what is kept is never removed. */
Datum
batchinf_keeps(PG_FUNCTION_ARGS)
{
	char	   *kept = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			seconds = strcmp(kept, kinds[BI_KEPT_INPUTS].name) == 0 ? bi_guc_keep_inputs
		: bi_guc_keep_results;
	Interval   *interval;

	if (seconds < 0)
		PG_RETURN_NULL();
	/* in seconds: a day is 24 hours whatever the time zone is */
	interval = palloc0(sizeof(Interval));
	interval->time = (int64) seconds * USECS_PER_SEC;
	PG_RETURN_INTERVAL_P(interval);
}
