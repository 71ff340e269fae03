/*
 * store/worksheet.c: the worksheet by which batch_readiness judges a job.
 *
 * Its rules are in SQL, in batchinf.worksheet: they compare amounts, and are tested by facts that
 * no server needs to have.
 */
#include "postgres.h"

#include "store/sql.h"
#include "store/worksheet.h"

List *
bi_worksheet_fill(const char *facts, Oid server, const char *model, int64 records,
				  const BiForecast *forecast)
{
	BiArgs		args = {0};
	List	   *lines = NIL;
	int64		n;

	bi_sql_arg_text(&args, facts);
	bi_sql_arg_oid(&args, server);
	bi_sql_arg_text(&args, model);
	bi_sql_arg_int8(&args, records);
	bi_sql_arg_int8(&args, forecast->input);
	bi_sql_arg_int8(&args, forecast->output);
	n = bi_sql_run("SELECT w.factor, w.value, w.verdict, w.reason"
				   " FROM batchinf.worksheet($1::jsonb || jsonb_build_object("
				   "  'flex_cost', (SELECT batchinf.cost(t.prices, $5, 0, 0, 0, $6)"
				   "   FROM batchinf.tier($2, $3, 'flex', $4, $5) t),"
				   "  'no_worker', batchinf.no_worker(),"
				   "  'last_look', (SELECT date_trunc('second', e.at)::text FROM batchinf.event e"
				   "   ORDER BY e.event_id DESC LIMIT 1))) w ORDER BY w.n", &args);
	for (int64 i = 0; i < n; i++)
	{
		BiJudgement *line = palloc(sizeof(BiJudgement));

		line->factor = bi_sql_text(CurrentMemoryContext, i, 1);
		line->value = bi_sql_text(CurrentMemoryContext, i, 2);
		line->verdict = bi_sql_text(CurrentMemoryContext, i, 3);
		line->reason = bi_sql_text(CurrentMemoryContext, i, 4);
		lines = lappend(lines, line);
	}
	return lines;
}
