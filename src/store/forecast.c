/*
 * store/forecast.c: what to expect of requests, before they are sent.
 *
 * The arithmetic is in SQL, in batchinf.forecast: it is all about sums of batchinf.history.  This
 * reads its row.
 */
#include "postgres.h"

#include "store/forecast.h"
#include "store/history.h"
#include "store/sql.h"

bool
bi_forecast_exists(void)
{
	return bi_history_exists();
}

void
bi_forecast_make(Oid server, const BiSpec *spec, int64 records, int64 tokens,
				 BiForecast *forecast)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_text(&args, bi_spec_to_json(spec, false));
	bi_sql_arg_int8(&args, records);
	bi_sql_arg_int8(&args, tokens);
	bi_sql_rerun("SELECT f.input_tokens, f.output_tokens, f.output_tokens_p95, f.measured,"
				 " f.input_basis, f.output_basis, f.error, f.cost, f.cost_p95, f.realtime_cost"
				 " FROM batchinf.forecast($1, $2::jsonb, $3, $4) f", &args);
	forecast->input = bi_sql_int8(0, 1);
	forecast->output = bi_sql_int8(0, 2);
	forecast->output_p95 = bi_sql_int8(0, 3);
	forecast->measured = bi_sql_int8(0, 4);
	forecast->input_basis = bi_sql_text(CurrentMemoryContext, 0, 5);
	forecast->output_basis = bi_sql_text(CurrentMemoryContext, 0, 6);
	forecast->error = bi_sql_numeric(0, 7);
	forecast->cost = bi_sql_numeric(0, 8);
	forecast->cost_p95 = bi_sql_numeric(0, 9);
	forecast->realtime_cost = bi_sql_numeric(0, 10);
}
