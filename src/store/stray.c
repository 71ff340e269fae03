/*
 * store/stray.c: lines of results files that joined no record: their counts, and what they cost.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/spend.h"
#include "store/sql.h"
#include "store/stray.h"

void
bi_stray_note(const BiChunk *chunk, const BiStrayLines *lines)
{
	BiArgs		args = {0};
	Numeric		cost = lines->cost ? lines->cost : int64_to_numeric(0);

	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, lines->duplicates);
	bi_sql_arg_int8(&args, lines->unknown);
	bi_sql_arg_int8(&args, lines->malformed);
	bi_sql_arg(&args, NUMERICOID, NumericGetDatum(cost), false);
	bi_sql_arg_int8(&args, lines->unpriced);
	/* What a delivery has noted before is paid for once. */
	bi_sql_run("WITH n AS MATERIALIZED (SELECT"
			   "   CASE WHEN c.duplicates = 0 THEN $6 ELSE 0 END AS cost,"
			   "   CASE WHEN c.duplicates = 0 THEN $7 ELSE 0 END AS unpriced"
			   "  FROM batchinf.chunk c WHERE c.chunk_id = $2),"
			   " up AS (UPDATE batchinf.chunk c SET duplicates = $3, unknown = $4,"
			   "  malformed = $5, cost = c.cost + n.cost, stray_cost = c.stray_cost + n.cost,"
			   "  wasted = c.wasted + n.cost, saving = c.saving - n.cost,"
			   "  unpriced = c.unpriced + n.unpriced"
			   "  FROM n WHERE c.chunk_id = $2 RETURNING n.cost, n.unpriced) "
			   BI_SPEND_INSERT("$1", "$2", "cost, wasted, saving, unpriced",
							   "g.cost, g.cost, - g.cost, g.unpriced",
							   "(SELECT NULL::text AS model, up.* FROM up"
							   " WHERE up.cost <> 0 OR up.unpriced > 0) g"), &args);
}
