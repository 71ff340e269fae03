/*
 * store/copy.c: records that copy the answers of others, and where these are.
 *
 * A result counts as final when the chunk that brought it has settled: until then it may be sent
 * again.  A source is looked for by its key (source_job, source_seq) each time, because it moves
 * to other chunks, and because the job of a cached answer may be deleted, or lose its texts,
 * at any moment.  Then the copy has lost its source, and is sent itself.
 *
 * That the job of a cached answer has the same owner is asked again when the answer is read: jobs
 * can be adopted by other roles.
 */
#include "postgres.h"

#include "store/copy.h"
#include "store/sql.h"

/* Record r has no result yet. */
#define UNANSWERED \
	"NOT EXISTS (SELECT FROM batchinf.result o WHERE o.job_id = r.job_id AND o.seq = r.seq" \
	"  AND o.attempt = r.attempt)"

/* Record r of the chunk $1 has none, and never gets one from its source.  Of a chunk of cached
 * records only those are left. */
#define LOST \
	"r.chunk_id = $1 AND " UNANSWERED " AND ($2 OR NOT EXISTS (SELECT FROM batchinf.record x" \
	"  WHERE x.job_id = r.source_job AND x.seq = r.source_seq))"

/* The final result of record r's source x. */
#define RESULT_OF_SOURCE \
	"JOIN batchinf.result s ON s.job_id = x.job_id AND s.seq = x.seq AND s.attempt = x.attempt"

static const char *const sources[] = {
	[BI_COPIES_REPEAT] =
	" SELECT s.* FROM batchinf.record x " RESULT_OF_SOURCE
	" JOIN batchinf.chunk k ON k.chunk_id = s.chunk_id AND k.state " BI_CHUNK_SETTLED
	" WHERE x.job_id = r.source_job AND x.seq = r.source_seq LIMIT 1",
	[BI_COPIES_CACHED] =
	" SELECT s.* FROM batchinf.record x " RESULT_OF_SOURCE
	" JOIN batchinf.job o ON o.job_id = x.job_id AND o.results_removed_at IS NULL"
	" JOIN batchinf.job j ON j.job_id = r.job_id AND j.owner = o.owner"
	"  AND j.install = o.install AND j.database = o.database"
	" WHERE x.job_id = r.source_job AND x.seq = r.source_seq"
	"  AND s.outcome = 'succeeded' AND s.output IS NOT NULL LIMIT 1",
};

bool
bi_copy_exists(void)
{
	return bi_sql_has_column("record", "source_job");
}

bool
bi_copy_must_wait(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->source_chunk);
	return bi_sql_run("SELECT FROM batchinf.chunk WHERE chunk_id = $1"
					  " AND NOT state " BI_CHUNK_SETTLED, &args) > 0;
}

/* Reads row i of bi_copy_read's statement. */
static void
read_answer(MemoryContext cxt, int64 i, BiResult *result)
{
	BiAnswer   *answer = &result->answer;

	memset(result, 0, sizeof(BiResult));
	result->seq = bi_sql_int8(i, 1);
	answer->outcome = bi_outcome_parse(bi_sql_text(CurrentMemoryContext, i, 2));
	answer->output = bi_sql_text(cxt, i, 3);
	answer->output_len = answer->output ? strlen(answer->output) : 0;
	answer->output_is_json = bi_sql_bool(i, 4);
	answer->reasoning = bi_sql_text(cxt, i, 5);
	answer->reasoning_len = answer->reasoning ? strlen(answer->reasoning) : 0;
	answer->finish_reason = bi_sql_text(cxt, i, 6);
	answer->model = bi_sql_text(cxt, i, 7);
	answer->error_code = bi_sql_text(cxt, i, 8);
	answer->error = bi_sql_text(cxt, i, 9);
	answer->request_id = bi_sql_text(cxt, i, 10);
	answer->input_tokens = answer->cached_tokens = answer->output_tokens = -1;
	answer->cache_write_tokens = answer->cache_write_1h_tokens = -1;
	answer->is_copy = true;
}

int
bi_copy_read(MemoryContext cxt, const BiChunk *chunk, int64 after_seq, int limit, int64 max_bytes,
			 BiResult *results)
{
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, after_seq);
	bi_sql_arg_int4(&args, limit);
	bi_sql_arg_int8(&args, max_bytes);
	/* The length of a text is known without reading it. */
	n = bi_sql_run(psprintf("SELECT w.own, w.outcome, w.output, w.output_json, w.reasoning,"
							" w.finish_reason, w.model, w.error_code, w.error, w.request_id FROM"
							" (SELECT u.*, sum(COALESCE(octet_length(u.output), 0)"
							"   + COALESCE(octet_length(u.reasoning), 0)) OVER (ORDER BY u.own"
							"   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM"
							"  (SELECT r.seq AS own, f.* FROM batchinf.record r,"
							"   LATERAL (%s) f"
							"   WHERE r.chunk_id = $1 AND r.seq > $2 AND " UNANSWERED
							"   ORDER BY r.seq LIMIT $3) u) w"
							" WHERE COALESCE(w.before, 0) < $4 ORDER BY w.own",
							sources[chunk->copies]), &args);
	for (int64 i = 0; i < n; i++)
		read_answer(cxt, i, &results[i]);
	return (int) n;
}

BiCopyLeft
bi_copy_left(BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	if (bi_sql_run("SELECT x.chunk_id FROM batchinf.record r LEFT JOIN LATERAL"
				   " (SELECT x.chunk_id FROM batchinf.record x"
				   "  WHERE x.job_id = r.source_job AND x.seq = r.source_seq LIMIT 1) x ON true"
				   " WHERE r.chunk_id = $1 AND " UNANSWERED " ORDER BY r.seq LIMIT 1", &args) == 0)
		return BI_COPY_LEFT_NOTHING;
	chunk->source_chunk = bi_sql_int8(0, 1);
	return chunk->copies == BI_COPIES_REPEAT && chunk->source_chunk != 0
		? BI_COPY_LEFT_WAITING : BI_COPY_LEFT_LOST;
}

void
bi_copy_wait(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, chunk->source_chunk);
	bi_sql_run("UPDATE batchinf.chunk SET source_chunk = $2 WHERE chunk_id = $1", &args);
}

void
bi_copy_send(const BiChunk *chunk)
{
	BiArgs		args = {0};
	BiChunk		fresh = *chunk;

	fresh.id = bi_chunk_reserve();
	fresh.copies = BI_COPIES_NONE;
	fresh.source_chunk = 0;
	bi_chunk_new_intent(fresh.intent);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_bool(&args, chunk->copies == BI_COPIES_CACHED);
	if (chunk->copies == BI_COPIES_REPEAT)
		bi_sql_run("UPDATE batchinf.record r SET source_seq = l.leader FROM"
				   " (SELECT r.source_seq, min(r.seq) AS leader FROM batchinf.record r WHERE " LOST
				   "  GROUP BY r.source_seq) l"
				   " WHERE r.source_seq = l.source_seq AND r.seq <> l.leader AND " LOST, &args);
	bi_sql_arg_int8(&args, fresh.id);
	bi_sql_run("WITH moved AS (UPDATE batchinf.record r"
			   "  SET chunk_id = $3, source_job = NULL, source_seq = NULL WHERE " LOST
			   "  RETURNING 1),"
			   " n AS (SELECT count(*) AS n FROM moved)"
			   " UPDATE batchinf.chunk c SET retried = c.retried + n.n FROM n"
			   " WHERE c.chunk_id = $1 RETURNING n.n", &args);
	fresh.records = bi_sql_int8(0, 1);
	if (fresh.records == 0)
		return;
	fresh.bytes = chunk->bytes * fresh.records / Max(chunk->records, 1);
	fresh.tokens = chunk->tokens * fresh.records / Max(chunk->records, 1);
	bi_chunk_insert(&fresh);
}
