/*
 * store/rollup.c: old rows of the ledger (spend.c) become one row a day.
 *
 * A day is one of UTC.  It is old when all of it is older than batchinf.keep_spend.  Each piece
 * takes rows of one day, with what earlier pieces have made of that day, and puts sums in their
 * place, in one statement: whoever adds up the ledger sees either these or those.
 */
#include "postgres.h"

#include "base/guc.h"
#include "store/rollup.h"
#include "store/sql.h"

/* A piece has this many rows at most, and as many sums of earlier ones. */
#define PIECE_ROWS 5000

/* When the day of that time is old. */
#define OLD(at) \
	"(date_trunc('day', " at ", 'UTC') + interval '24 hours' + $1 * interval '1 second')"

#define KEYS \
	"o.install, o.database, o.owner, o.owner_name, o.server, o.server_name, o.provider, o.model," \
	" o.mode, o.pipeline_id"

TimestampTz
bi_rollup_next(void)
{
	BiArgs		args = {0};

	if (bi_guc_keep_spend < 0)
		return DT_NOEND;
	bi_sql_arg_int4(&args, bi_guc_keep_spend);
	bi_sql_rerun("SELECT " OLD("min(e.at)") " FROM batchinf.spend e WHERE e.chunk_id IS NOT NULL",
				 &args);
	return bi_sql_time(0, 1);
}

bool
bi_rollup_piece(void)
{
	BiArgs		args = {0};

	if (bi_guc_keep_spend < 0)
		return false;
	bi_sql_arg_int4(&args, bi_guc_keep_spend);
	bi_sql_arg_int4(&args, PIECE_ROWS);
	return bi_sql_run("WITH day AS MATERIALIZED (SELECT date_trunc('day', min(e.at), 'UTC') AS at"
					  "   FROM batchinf.spend e WHERE e.chunk_id IS NOT NULL"
					  "   HAVING " OLD("min(e.at)") " <= now()),"
					  " piece AS MATERIALIZED (SELECT e.spend_id FROM batchinf.spend e, day d"
					  "   WHERE e.chunk_id IS NOT NULL AND e.at < d.at + interval '24 hours'"
					  "   ORDER BY e.at LIMIT $2 FOR UPDATE OF e SKIP LOCKED),"
					  " sums AS MATERIALIZED (SELECT e.spend_id FROM batchinf.spend e, day d"
					  "   WHERE e.chunk_id IS NULL AND e.at = d.at LIMIT $2"
					  "   FOR UPDATE OF e SKIP LOCKED),"
					  " o AS (DELETE FROM batchinf.spend e WHERE e.spend_id IN"
					  "   (SELECT p.spend_id FROM piece p UNION ALL SELECT s.spend_id FROM sums s)"
					  "   RETURNING e.*)"
					  " INSERT INTO batchinf.spend (at, install, database, owner, owner_name,"
					  "  server, server_name, provider, model, mode, pipeline_id, records,"
					  "  input_tokens, cached_tokens, cache_write_tokens, cache_write_1h_tokens,"
					  "  output_tokens, cost, realtime_cost, saving, wasted, unpriced,"
					  "  bytes_staged)"
					  " SELECT d.at, " KEYS ", sum(o.records), sum(o.input_tokens),"
					  "  sum(o.cached_tokens), sum(o.cache_write_tokens),"
					  "  sum(o.cache_write_1h_tokens), sum(o.output_tokens), sum(o.cost),"
					  "  sum(o.realtime_cost), sum(o.saving), sum(o.wasted), sum(o.unpriced),"
					  "  sum(o.bytes_staged)"
					  " FROM o, day d GROUP BY d.at, " KEYS, &args) > 0;
}
