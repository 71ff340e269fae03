/*
 * store/reprice.c: answers get prices that were set later.
 *
 * The chunks are locked first, as by whoever inserts answers.  So what is read after it is neither
 * priced by another call nor inserted meanwhile, and each amount counts once.  What is found is
 * written to the answers, added to their chunks, and inserted into the ledger as of the time of the
 * answers, all in one statement.
 *
 * Second answers to a record (second.c) have no row: they stay as they are.
 */
#include "postgres.h"

#include "store/reprice.h"
#include "store/spend.h"
#include "store/sql.h"

/* What the tokens of o cost by a tariff. */
#define COST(tariff) \
	"batchinf.cost(" tariff ", o.input_tokens, o.cached_tokens, o.cache_write_tokens," \
	"  o.cache_write_1h_tokens, CASE WHEN j.task = 'embedding'" \
	"   THEN COALESCE(o.output_tokens, 0) ELSE o.output_tokens END)"

/* The tariffs of the models of answers: of a time, and of now. */
#define TARIFF(mode, at) \
	"(SELECT t.tiers FROM batchinf.tariff(h.server, h.model, d.model, " mode ", " at ") t)"
#define TARIFFS(at) \
	TARIFF("p.mode", at) " AS cost, " TARIFF("'realtime'", at) " AS realtime" \
	" FROM batchinf.job_here h, batchinf.payer p"

/* The amounts that a row of "up" has gained. */
#define GAIN "(u.cost - COALESCE(u.old_cost, 0))"
#define REALTIME_GAIN "(u.realtime_cost - COALESCE(u.old_realtime, 0))"
#define SUMS \
	"COALESCE(sum" GAIN ", 0) AS cost, COALESCE(sum" REALTIME_GAIN ", 0) AS realtime_cost," \
	" COALESCE(sum(u.realtime_cost - u.cost" \
	"  - COALESCE(u.old_realtime - u.old_cost, 0)), 0) AS saving," \
	" COALESCE(sum" GAIN " FILTER (WHERE u.wasted), 0) AS wasted," \
	" count(*) FILTER (WHERE u.old_cost IS NULL AND u.cost IS NOT NULL) AS priced," \
	" count(*) AS n"

int64
bi_reprice_job(int64 job_id, int64 *left)
{
	BiArgs		args = {0};
	int64		priced;

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT FROM batchinf.chunk c WHERE c.job_id = $1 ORDER BY c.chunk_id"
			   " FOR NO KEY UPDATE", &args);
	bi_sql_run("WITH old AS MATERIALIZED (SELECT s.* FROM batchinf.result s WHERE s.job_id = $1"
			   "   AND s.chunk_id IS NOT NULL"
			   "   AND (s.cost IS NULL OR s.realtime_cost IS NULL)),"
			   " then_ AS MATERIALIZED (SELECT d.*, t.* FROM"
			   "   (SELECT DISTINCT o.model, o.finished_at FROM old o) d,"
			   "   LATERAL (SELECT " TARIFFS("d.finished_at")
			   "    WHERE h.job_id = $1 AND p.job_id = $1) t),"
			   " now_ AS MATERIALIZED (SELECT d.*, t.* FROM"
			   "   (SELECT DISTINCT o.model FROM old o) d,"
			   "   LATERAL (SELECT " TARIFFS("now()")
			   "    WHERE h.job_id = $1 AND p.job_id = $1) t),"
			   " found AS MATERIALIZED (SELECT o.seq, o.attempt, o.cost AS old_cost,"
			   "   o.realtime_cost AS old_realtime,"
			   "   COALESCE(o.cost, " COST("t.cost") ", " COST("n.cost") ") AS cost,"
			   "   COALESCE(o.realtime_cost, " COST("t.realtime") ", " COST("n.realtime") ")"
			   "    AS realtime"
			   "  FROM old o JOIN batchinf.job j ON j.job_id = $1"
			   "  JOIN then_ t ON t.model IS NOT DISTINCT FROM o.model"
			   "   AND t.finished_at = o.finished_at"
			   "  JOIN now_ n ON n.model IS NOT DISTINCT FROM o.model),"
			   " up AS (UPDATE batchinf.result s SET cost = f.cost, realtime_cost = f.realtime"
			   "  FROM found f WHERE s.job_id = $1 AND s.seq = f.seq AND s.attempt = f.attempt"
			   "   AND (f.cost, f.realtime) IS DISTINCT FROM (f.old_cost, f.old_realtime)"
			   "  RETURNING s.chunk_id, s.model, s.finished_at, s.wasted, s.cost,"
			   "   s.realtime_cost, f.old_cost, f.old_realtime),"
			   " spent AS (" BI_SPEND_INSERT("$1", "g.chunk_id",
											 "at, cost, realtime_cost, saving, wasted, unpriced",
											 "g.finished_at, g.cost, g.realtime_cost, g.saving,"
											 " g.wasted, - g.priced",
											 "(SELECT u.chunk_id, u.model, u.finished_at, " SUMS
											 " FROM up u GROUP BY u.chunk_id, u.model,"
											 "  u.finished_at) g") "),"
			   " gain AS (SELECT u.chunk_id, " SUMS " FROM up u GROUP BY u.chunk_id),"
			   " sums AS (UPDATE batchinf.chunk c SET cost = c.cost + g.cost,"
			   "  realtime_cost = c.realtime_cost + g.realtime_cost,"
			   "  saving = c.saving + g.saving, wasted = c.wasted + g.wasted,"
			   "  unpriced = c.unpriced - g.priced FROM gain g WHERE c.chunk_id = g.chunk_id"
			   "  RETURNING g.n)"
			   " SELECT COALESCE(sum(s.n), 0)::int8 FROM sums s", &args);
	priced = bi_sql_int8(0, 1);
	bi_sql_run("SELECT COALESCE(sum(c.unpriced), 0)::int8 FROM batchinf.chunk c"
			   " WHERE c.job_id = $1", &args);
	*left = bi_sql_int8(0, 1);
	return priced;
}
