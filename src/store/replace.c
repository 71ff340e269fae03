/*
 * store/replace.c: answers that replace the rows of a value together.
 *
 * A value is known by a hash that is equal for values that the target's types say are equal
 * (keyhash.c), so text that differs makes no two values of one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/counts.h"
#include "store/replace.h"
#include "store/sql.h"
#include "utils/builtins.h"

/* So many values are looked at by one statement. */
#define MARK_VALUES 500

/* Outputs of about so many bytes are read at once. */
#define READ_BYTES (4 * 1024 * 1024)

/* Values with so many results together are written together. */
#define WRITE_RESULTS 500

/*
 * The tables' statistics know nothing of a new job, so the planner expects a row or none of it, and
 * would read all rows of the job for each one.  What follows leaves it one way: by all columns of
 * an index.  A subquery with LIMIT or ORDER BY stays one; r.job_id + 0 is no constant; and COALESCE
 * matches no partial index.
 */

/* In FROM, behind v with a value: its records of the job $4, as r. */
#define RECORDS_OF_VALUE \
	"LATERAL (SELECT r.seq, r.attempt FROM batchinf.record r WHERE r.job_id = $4" \
	" AND r.value >= v.value AND r.value <= v.value ORDER BY r.value) r"

/* In FROM, behind r: the result of its current attempt, as s. */
#define RESULT_OF_RECORD \
	"LATERAL (SELECT s.outcome, s.write_state FROM batchinf.result s WHERE s.job_id = $4" \
	" AND s.seq = r.seq AND s.attempt = r.attempt LIMIT 1) s"

bool
bi_replace_mark(const BiChunk *chunk, pg_uuid_t *last)
{
	BiArgs		args = {0};
	pg_uuid_t	after = *last;
	bool		isnull;
	Datum		next;

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg(&args, UUIDOID, UUIDPGetDatum(&after), false);
	bi_sql_arg_int4(&args, MARK_VALUES);
	bi_sql_run("SELECT max(v.value::text)::uuid FROM (SELECT DISTINCT r.value"
			   "  FROM batchinf.result s"
			   "  JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq"
			   "  WHERE s.chunk_id = $1 AND s.write_state = 'incomplete' AND r.value > $2"
			   "  ORDER BY r.value LIMIT $3) v", &args);
	next = bi_sql_datum(0, 1, &isnull);
	if (isnull)
		return false;
	*last = *DatumGetUUIDP(next);
	args.n = 2;
	bi_sql_arg(&args, UUIDOID, UUIDPGetDatum(last), false);
	bi_sql_arg_int8(&args, chunk->job_id);
	/* The rows are locked in order: of two chunks that end at once, the second finds them
	 * marked. */
	bi_sql_run("WITH v AS MATERIALIZED (SELECT DISTINCT r.value FROM batchinf.result s"
			   "   JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq"
			   "   WHERE s.chunk_id = $1 AND s.write_state = 'incomplete'"
			   "    AND r.value > $2 AND r.value <= $3),"
			   " w AS MATERIALIZED (SELECT $4 AS job_id, r.seq, r.attempt, s.write_state,"
			   "   bool_and(COALESCE(s.outcome, '') IN ('succeeded', 'skipped'))"
			   "    OVER (PARTITION BY v.value) AS is_whole"
			   "   FROM v, " RECORDS_OF_VALUE " LEFT JOIN " RESULT_OF_RECORD " ON true),"
			   " l AS MATERIALIZED (SELECT s.job_id, s.seq, s.attempt FROM w"
			   "   JOIN batchinf.result s ON s.job_id = w.job_id AND s.seq = w.seq"
			   "    AND s.attempt = w.attempt"
			   "   WHERE w.is_whole AND w.write_state = 'incomplete'"
			   "    AND COALESCE(s.write_state, '') = 'incomplete'"
			   "   ORDER BY s.seq FOR NO KEY UPDATE OF s),"
			   " u AS (UPDATE batchinf.result s SET write_state = 'waiting', write_asked = now()"
			   "   FROM l WHERE s.job_id = l.job_id AND s.seq = l.seq AND s.attempt = l.attempt"
			   "   RETURNING s.chunk_id),"
			   " n AS (SELECT chunk_id, count(*) AS n FROM u GROUP BY chunk_id ORDER BY chunk_id)"
			   " UPDATE batchinf.chunk c SET incomplete = c.incomplete - n.n,"
			   "   write_waiting = c.write_waiting + n.n, write_at = now(), write_tries = 0"
			   "  FROM n WHERE c.chunk_id = n.chunk_id", &args);
	return true;
}

BiReplaced *
bi_replace_choose(const BiChunk *chunk)
{
	BiReplaced *replaced = palloc0(sizeof(BiReplaced));
	BiArgs		args = {0};
	int64		found;

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, chunk->write_tries);
	bi_sql_arg_int4(&args, WRITE_RESULTS);
	bi_sql_arg_int8(&args, chunk->job_id);
	found = bi_sql_run("SELECT v.value, (SELECT count(*) FROM " RECORDS_OF_VALUE ", "
					   RESULT_OF_RECORD " WHERE s.write_state = 'waiting')"
					   " FROM (SELECT DISTINCT r.value FROM batchinf.result s"
					   "  JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq"
					   "  WHERE s.chunk_id = $1 AND s.write_state = 'waiting') v"
					   " ORDER BY uuid_hash_extended(v.value, $2), v.value LIMIT $3", &args);
	replaced->job_id = chunk->job_id;
	replaced->values = palloc(sizeof(pg_uuid_t) * (found + 1));
	replaced->counts = palloc(sizeof(int64) * (found + 1));
	for (int64 i = 0; i < found; i++)
	{
		int64		results = bi_sql_int8(i, 2);
		bool		isnull;

		if (replaced->nvalues > 0 && replaced->results + results > WRITE_RESULTS)
			break;
		replaced->counts[replaced->nvalues] = results;
		replaced->values[replaced->nvalues++] = *DatumGetUUIDP(bi_sql_datum(i, 1, &isnull));
		replaced->results += results;
	}
	return replaced;
}

/* Adds the job and the values. */
static void
add_arguments(BiArgs *args, const BiReplaced *replaced)
{
	bi_sql_arg_int8(args, replaced->job_id);
	bi_sql_arg_uuids(args, replaced->values, replaced->nvalues);
}

int
bi_replace_read(MemoryContext cxt, const BiReplaced *replaced, int64 after_seq, BiResult *results,
				int limit)
{
	BiArgs		args = {0};
	int64		n;

	add_arguments(&args, replaced);
	bi_sql_arg_int8(&args, after_seq);
	bi_sql_arg_int4(&args, limit);
	bi_sql_arg_int4(&args, READ_BYTES);
	n = bi_sql_run("SELECT " BI_RESULT_WAITING " FROM batchinf.record r"
				   " JOIN batchinf.result s ON s.job_id = r.job_id + 0 AND s.seq = r.seq"
				   "  AND s.attempt = r.attempt"
				   " WHERE r.job_id = $1 AND r.value = ANY ($2) AND r.seq > $3"
				   "  AND COALESCE(s.write_state, '') = 'waiting'"
				   "  AND r.seq <= (SELECT max(b.seq) FROM"
				   "   (SELECT o.seq, sum(o.bytes) OVER (ORDER BY o.seq) - o.bytes AS before FROM"
				   "    (SELECT r.seq, octet_length(s.output) AS bytes FROM batchinf.record r"
				   "     JOIN batchinf.result s ON s.job_id = r.job_id + 0 AND s.seq = r.seq"
				   "      AND s.attempt = r.attempt"
				   "     WHERE r.job_id = $1 AND r.value = ANY ($2) AND r.seq > $3"
				   "      AND COALESCE(s.write_state, '') = 'waiting' ORDER BY r.seq LIMIT $4) o) b"
				   "   WHERE b.before < $5)"
				   " ORDER BY r.seq LIMIT $4 FOR NO KEY UPDATE OF s SKIP LOCKED", &args);
	bi_result_read_waiting(cxt, results, (int) n);
	return (int) n;
}

void
bi_replace_record(const BiReplaced *replaced, BiWriteState state, const char *error)
{
	BiArgs		args = {0};

	add_arguments(&args, replaced);
	bi_sql_arg_text(&args, bi_outcome_write_name(state));
	bi_sql_arg_text(&args, error);
	bi_sql_run("WITH u AS (UPDATE batchinf.result s SET write_state = $3, write_error = $4"
			   "   FROM batchinf.record r WHERE r.job_id = $1 AND r.value = ANY ($2)"
			   "    AND s.job_id = r.job_id + 0 AND s.seq = r.seq AND s.attempt = r.attempt"
			   "    AND COALESCE(s.write_state, '') = 'waiting'"
			   "   RETURNING s.chunk_id, s.write_state),"
			   " n AS (SELECT chunk_id,"
			   "   count(*) FILTER (WHERE write_state <> 'waiting') AS settled," BI_COUNTS_WRITES
			   "   FROM u GROUP BY chunk_id ORDER BY chunk_id)"
			   " UPDATE batchinf.chunk c SET" BI_COUNTS_ADD_WRITES ","
			   "   write_waiting = c.write_waiting - n.settled"
			   "  FROM n WHERE c.chunk_id = n.chunk_id", &args);
}
