/*
 * api/budgeting.c: batch_set_budget and batch_drop_budget.
 *
 * Knows who may set a budget and what it may be.  What is left of it is known in store/ceiling.c.
 */
#include "postgres.h"

#include "api/treasury.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/ceiling.h"
#include "store/server.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_set_budget);
PG_FUNCTION_INFO_V1(batchinf_drop_budget);

static const char *const periods[] = {"day", "week", "month", "total", NULL};

static Numeric
amount_argument(FunctionCallInfo fcinfo, int i)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"amount\" must not be null"),
				 errhint("batch_drop_budget() removes a budget.")));
	if (!bi_treasury_is_amount(PG_GETARG_NUMERIC(i)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"amount\" must be a number that is not negative"),
				 errdetail("It is an amount in US dollars.")));
	return PG_GETARG_NUMERIC(i);
}

/* Returns the role, which must exist; InvalidOid for NULL. */
static Oid
role_argument(FunctionCallInfo fcinfo, int i)
{
	Oid			role;

	if (PG_ARGISNULL(i))
		return InvalidOid;
	role = PG_GETARG_OID(i);
	(void) GetUserNameFromId(role, false);
	return role;
}

static BiOnExceed
on_exceed_argument(FunctionCallInfo fcinfo, int i)
{
	const char *word = bi_treasury_word(fcinfo, i, "on_exceed", bi_ceiling_words);
	int			n = 0;

	while (bi_ceiling_words[n] != word)
		n++;
	return (BiOnExceed) n;
}

/* batch_set_budget(amount numeric, period text, role regrole, server name, on_exceed text)
 * RETURNS bigint: the budget's id */
Datum
batchinf_set_budget(PG_FUNCTION_ARGS)
{
	BiBudget	budget = {0};
	int64		id;

	bi_treasury_require_right("budgets");
	budget.amount = amount_argument(fcinfo, 0);
	budget.period = bi_treasury_word(fcinfo, 1, "period", periods);
	budget.role = role_argument(fcinfo, 2);
	if (!PG_ARGISNULL(3))
	{
		budget.server_name = pstrdup(NameStr(*PG_GETARG_NAME(3)));
		budget.server = bi_server_require(budget.server_name, GetUserId());
	}
	budget.on_exceed = on_exceed_argument(fcinfo, 4);
	bi_sql_connect();
	id = bi_ceiling_set(&budget);
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_INT64(id);
}

/* batch_drop_budget(budget_id bigint) */
Datum
batchinf_drop_budget(PG_FUNCTION_ARGS)
{
	bool		found;

	bi_treasury_require_right("budgets");
	bi_sql_connect();
	found = bi_ceiling_drop(PG_GETARG_INT64(0));
	bi_sql_finish();
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("budget " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				 errhint("View batch_budgets has all budgets.")));
	bi_wake_at_commit();
	PG_RETURN_VOID();
}
