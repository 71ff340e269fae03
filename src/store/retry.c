/*
 * store/retry.c: sends records of a job again, in new chunks.
 *
 * The input is the one that batch_submit stored.  Each old chunk gives its records to one new
 * chunk, which is never larger, so that it fits the server's limits.  Only chunks whose results
 * are all delivered are asked.  What came of the earlier attempts stays in batchinf.result; the
 * counts move: a record that is sent again is "retried" in its old chunk.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/chunk.h"
#include "store/copy.h"
#include "store/inflight.h"
#include "store/keep.h"
#include "store/rate.h"
#include "store/retry.h"
#include "store/sql.h"
#include "utils/memutils.h"

/* Records that are read, and whose rows are taken, at once. */
#define PIECE 1000

/* A record that is to be sent again, and its row of the target. */
typedef struct Again
{
	pg_uuid_t	hash;			/* first: they are ordered by it */
	int64		seq;
} Again;

/* The records of one job that are to be sent again. */
typedef struct Search
{
	int64		n;
	int64		size;			/* records that there is room for */
	Again	   *records;
	int64		nleft;			/* those that stay, because other jobs have their rows: */
	Datum	   *left;			/* their seqs, int8 */
} Search;

/* Makes room for n more records, in cxt. */
static void
make_room(Search *search, int64 n, MemoryContext cxt)
{
	if (search->n + n <= search->size)
		return;
	search->size = 2 * (search->n + n);
	search->records = search->records == NULL
		? MemoryContextAllocHuge(cxt, search->size * sizeof(Again))
		: repalloc_huge(search->records, search->size * sizeof(Again));
}

/* Adds the records of the last result: seq, record_id, key. */
static void
add_records(Search *search, const BiInflight *rows, int64 n)
{
	for (int64 i = 0; i < n; i++)
	{
		Again	   *again = &search->records[search->n++];

		again->seq = bi_sql_int8(i, 1);
		bi_inflight_hash(rows, bi_sql_text(CurrentMemoryContext, i, 2),
						 bi_sql_texts(CurrentMemoryContext, i, 3), &again->hash);
	}
}

/* Finds the records of the job that have one of these outcomes, in the order of their rows. */
static void
find_records(Search *search, const BiInflight *rows, const BiJob *job, Datum outcomes)
{
	MemoryContext piece_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf piece",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;
	int64		last = 0;
	int64		n;

	do
	{
		BiArgs		args = {0};

		MemoryContextSwitchTo(piece_cxt);

		bi_sql_arg_int8(&args, job->id);
		bi_sql_arg(&args, TEXTARRAYOID, outcomes, false);
		bi_sql_arg_int8(&args, last);
		bi_sql_arg_int4(&args, PIECE);
		n = bi_sql_run("SELECT r.seq, r.record_id, r.key FROM batchinf.record r"
					   " JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq"
					   "  AND s.attempt = r.attempt"
					   " WHERE r.job_id = $1 AND r.seq > $3 AND s.outcome = ANY ($2)"
					   " ORDER BY r.seq LIMIT $4", &args);
		if (n > 0)
			last = bi_sql_int8(n - 1, 1);
		make_room(search, n, old);
		add_records(search, rows, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(piece_cxt);
	} while (n == PIECE);
	MemoryContextDelete(piece_cxt);
	if (search->n > 0)
		qsort(search->records, search->n, sizeof(Again), bi_inflight_compare);
}

/* Takes the rows of the n records from first on, of which those with an equal key are one. */
static void
take_piece(Search *search, const BiInflight *rows, const Again *first, int n)
{
	pg_uuid_t  *hashes = palloc(sizeof(pg_uuid_t) * n);
	bool	   *taken = palloc(sizeof(bool) * n);
	int			m = 0;

	for (int i = 0; i < n; i++)
		if (m == 0 || bi_inflight_compare(&hashes[m - 1], &first[i].hash) != 0)
			hashes[m++] = first[i].hash;
	bi_inflight_take(rows, hashes, m, taken);
	for (int i = 0, k = 0; i < n; i++)
	{
		if (bi_inflight_compare(&hashes[k], &first[i].hash) != 0)
			k++;
		if (!taken[k])
			search->left[search->nleft++] = Int64GetDatum(first[i].seq);
	}
}

/*
 * Takes the rows of the records that are to be sent again: the job may have ended, and others may
 * have taken them since.  Returns those that they have.
 */
static Search
take_rows(const BiJob *job, Datum outcomes)
{
	Search		search = {0};
	BiInflight *rows = bi_inflight_of_job(job, job->spec.in_flight);

	if (rows == NULL)
		return search;
	find_records(&search, rows, job, outcomes);
	search.left = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * (search.n + 1));
	for (int64 i = 0; i < search.n; i += PIECE)
		take_piece(&search, rows, &search.records[i], (int) Min(PIECE, search.n - i));
	bi_inflight_hold(rows);
	if (search.nleft > 0 && job->spec.in_flight == BI_IN_FLIGHT_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg(INT64_FORMAT " records are in other open batch jobs", search.nleft)));
	if (search.nleft > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " records stay as they are because other open batch jobs have"
						" their rows", search.nleft)));
	return search;
}

/*
 * Returns what the new chunk of an old one's records is.  Repeats stay repeats: they get the answer
 * of their source, which is sent again if it has failed, too.  Cached records are sent.
 */
static BiCopies
copies_again(int64 old_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, old_id);
	return bi_copy_exists() &&
		bi_sql_run("SELECT FROM batchinf.chunk WHERE chunk_id = $1 AND copies = 'repeat'",
				   &args) > 0 ? BI_COPIES_REPEAT : BI_COPIES_NONE;
}

/* The records of the chunk are copies no more. */
static void
end_copies(int64 chunk_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	if (bi_copy_exists())
		bi_sql_run("UPDATE batchinf.record SET source_job = NULL, source_seq = NULL"
				   " WHERE chunk_id = $1 AND source_job IS NOT NULL", &args);
}

/* One new chunk for each old one: never larger than a chunk may be.  Returns how many records
 * the new one has; 0: none is made. */
static int64
retry_chunk(const BiJob *job, int64 old_id, Datum outcomes, const Search *search)
{
	BiArgs		args = {0};
	BiChunk		chunk = {0};

	chunk.copies = copies_again(old_id);
	chunk.id = bi_chunk_reserve();
	chunk.job_id = job->id;
	bi_chunk_new_intent(chunk.intent);
	bi_sql_arg_int8(&args, old_id);
	bi_sql_arg(&args, TEXTARRAYOID, outcomes, false);
	bi_sql_arg_int8(&args, chunk.id);
	bi_sql_arg_array(&args, INT8OID, search->left, NULL, (int) search->nleft);
	bi_sql_run("WITH moved AS (UPDATE batchinf.record r SET chunk_id = $3, attempt = b.attempt + 1"
			   "   FROM batchinf.result s, (SELECT max(attempt) AS attempt FROM batchinf.record"
			   " WHERE chunk_id = $1) b"
			   "   WHERE r.chunk_id = $1 AND s.job_id = r.job_id AND s.seq = r.seq"
			   " AND s.attempt = r.attempt AND s.outcome = ANY ($2)"
			   "   AND NOT EXISTS (SELECT FROM unnest($4) l(seq) WHERE l.seq = r.seq)"
			   "   RETURNING r.attempt, s.outcome),"
			   " counts AS (SELECT max(attempt) AS attempt, count(*) AS n, count(*)"
			   " FILTER (WHERE outcome = 'errored') AS errored,"
			   "   count(*) FILTER (WHERE outcome = 'expired') AS expired, count(*)"
			   " FILTER (WHERE outcome = 'missing') AS missing,"
			   "   count(*) FILTER (WHERE outcome = 'invalid_output') AS invalid_output,"
			   "   count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled FROM moved)"
			   " UPDATE batchinf.chunk c SET errored = c.errored - m.errored,"
			   " expired = c.expired - m.expired,"
			   "   missing = c.missing - m.missing,"
			   " invalid_output = c.invalid_output - m.invalid_output,"
			   "   cancelled = c.cancelled - m.cancelled, retried = c.retried + m.n"
			   " FROM counts m WHERE c.chunk_id = $1"
			   " RETURNING m.attempt, m.n, c.bytes * m.n / GREATEST(c.records, 1),"
			   " c.tokens * m.n / GREATEST(c.records, 1)", &args);
	chunk.attempt = bi_sql_int8(0, 1);
	chunk.attempts_left = job->spec.max_attempts - 1;
	chunk.records = bi_sql_int8(0, 2);
	if (chunk.records == 0)
		return 0;
	chunk.bytes = bi_sql_int8(0, 3);
	chunk.tokens = bi_sql_int8(0, 4);
	bi_chunk_insert(&chunk);
	if (chunk.copies == BI_COPIES_NONE)
		end_copies(chunk.id);
	return chunk.records;
}

int64
bi_retry_begin(const BiJob *job, Datum outcomes)
{
	BiArgs		args = {0};
	int64		n;
	int64	   *ids;
	int64		records = 0;
	Search		search;

	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg(&args, TEXTARRAYOID, outcomes, false);
	/* The job first, then its chunks in their order: nobody else locks them so long. */
	bi_job_lock(job->id);
	bi_keep_require(job->id, BI_KEPT_INPUTS, "retry");
	/* A value is written whole: with the outputs of its records that have succeeded before. */
	if (job->spec.write_mode == BI_WRITE_MODE_REPLACE)
		bi_keep_require(job->id, BI_KEPT_RESULTS, "retry");
	search = take_rows(job, outcomes);
	n = bi_sql_run("SELECT DISTINCT r.chunk_id FROM batchinf.record r JOIN batchinf.result s"
				   " ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt"
				   " WHERE r.job_id = $1 AND s.outcome = ANY ($2) AND r.chunk_id IN"
				   "  (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.job_id = $1"
				   " AND c.state " BI_CHUNK_SETTLED ")"
				   " ORDER BY 1", &args);
	ids = palloc(sizeof(int64) * (n + 1));
	for (int64 i = 0; i < n; i++)
		ids[i] = bi_sql_int8(i, 1);
	for (int64 i = 0; i < n; i++)
		records += retry_chunk(job, ids[i], outcomes, &search);
	if (records > 0)
	{
		bi_job_reopen(job->id, true);
		bi_rate_restart(job->id);
	}
	return records;
}
