/*
 * store/history.c: the table batchinf.history: what batches have brought.
 *
 * A row is inserted in the transaction that ends an attempt, and never changed.  It holds sums of
 * the batch and no text of it, so that it can stay when the job is deleted.  Whoever ends an
 * attempt also deletes what is too old, and waits for nobody when it does.
 *
 * The estimate of those records whose input was counted is their share of the chunk's.
 */
#include "postgres.h"

#include "store/history.h"
#include "store/sql.h"

/* Rows that stay, of a prompt and of a model at a server, as the comment on the table says. */
#define KEPT_OF_PROMPT 200
#define KEPT_OF_MODEL 2000

/* So many rows are deleted at once. */
#define PRUNED 100

bool
bi_history_exists(void)
{
	return bi_sql_has_column("history", "history_id");
}

/* Returns the id of the new row; 0 if there is none. */
static int64
insert_row(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_batch_end_name(chunk->batch->end));
	/* The LIMIT makes it one look into the index for each record. */
	if (bi_sql_run("INSERT INTO batchinf.history (install, database, server, server_name, model,"
				   "  prompt, records, measured, estimated_tokens, input_tokens, succeeded,"
				   "  invalid_output, errored, expired, cancelled, missing, answered,"
				   "  output_tokens, output_p50, output_p95, created_at, submitted_at, ended_at,"
				   "  batch_end, late)"
				   " SELECT j.install, j.database, j.server, j.server_name, j.model,"
				   "  batchinf.prompt_hash(j.spec), c.records, x.measured,"
				   "  c.tokens * x.measured / GREATEST(c.records, 1), x.input_tokens, x.succeeded,"
				   "  x.invalid_output, x.errored, x.expired, x.cancelled, x.missing, x.answered,"
				   "  x.output_tokens, x.output_p50, x.output_p95, j.created_at, b.submitted_at,"
				   "  COALESCE(b.ended_at, now()), $2,"
				   "  COALESCE($2 = 'expired', false)"
				   "   OR COALESCE(j.deadline < COALESCE(b.ended_at, now()), false)"
				   " FROM batchinf.chunk c JOIN batchinf.job j ON j.job_id = c.job_id"
				   " LEFT JOIN batchinf.batch b ON b.chunk_id = c.chunk_id AND b.try = c.tries,"
				   " LATERAL (SELECT count(s.input_tokens) AS measured,"
				   "   COALESCE(sum(s.input_tokens), 0) AS input_tokens,"
				   "   count(*) FILTER (WHERE s.outcome = 'succeeded') AS succeeded,"
				   "   count(*) FILTER (WHERE s.outcome = 'invalid_output') AS invalid_output,"
				   "   count(*) FILTER (WHERE s.outcome = 'errored') AS errored,"
				   "   count(*) FILTER (WHERE s.outcome = 'expired') AS expired,"
				   "   count(*) FILTER (WHERE s.outcome = 'cancelled') AS cancelled,"
				   "   count(*) FILTER (WHERE s.outcome = 'missing') AS missing,"
				   "   count(s.said) AS answered, COALESCE(sum(s.said), 0) AS output_tokens,"
				   "   percentile_disc(0.5) WITHIN GROUP (ORDER BY s.said) AS output_p50,"
				   "   percentile_disc(0.95) WITHIN GROUP (ORDER BY s.said) AS output_p95"
				   "  FROM batchinf.record r, LATERAL (SELECT s.outcome, s.input_tokens,"
				   "    CASE WHEN s.outcome = 'succeeded' THEN s.output_tokens END AS said"
				   "   FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq"
				   "   AND s.attempt = r.attempt AND s.chunk_id = c.chunk_id LIMIT 1) s"
				   "  WHERE r.chunk_id = c.chunk_id) x"
				   " WHERE c.chunk_id = $1 RETURNING history_id", &args) == 0)
		return 0;
	return bi_sql_int8(0, 1);
}

/* Deletes rows like that one, except the newest.  also: a condition on "h" and that row "n". */
static void
prune(int64 history_id, const char *also, int kept)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, history_id);
	bi_sql_arg_int4(&args, kept);
	bi_sql_arg_int4(&args, PRUNED);
	bi_sql_run(psprintf("DELETE FROM batchinf.history WHERE history_id IN ("
						"SELECT o.history_id FROM batchinf.history o WHERE o.history_id IN ("
						" SELECT h.history_id FROM batchinf.history n JOIN batchinf.history h"
						"  ON h.model = n.model AND h.server = n.server%s"
						" WHERE n.history_id = $1 ORDER BY h.history_id DESC OFFSET $2 LIMIT $3)"
						" FOR UPDATE SKIP LOCKED)", also), &args);
}

void
bi_history_add(const BiChunk *chunk)
{
	int64		history_id;

	if (chunk->batch == NULL || chunk->batch->id == NULL || !bi_history_exists())
		return;
	history_id = insert_row(chunk);
	if (history_id == 0)
		return;
	prune(history_id, " AND h.prompt = n.prompt", KEPT_OF_PROMPT);
	prune(history_id, "", KEPT_OF_MODEL);
}
