/*
 * store/ceiling.c: the table batchinf.budget, and what is left of it.
 *
 * Only batch_set_budget and batch_drop_budget write the table: a worker reads it and never waits
 * for a session that changes it.  What is spent is the sum over the ledger (batchinf.spend), and
 * what is reserved the sum over chunks under way (batchinf.chunk.reserved).  Both are written by
 * workers, and both are read here with what other workers have committed: claims are made one
 * after another (bi_chunk_lock_claims), so that two chunks never take the last money together.
 *
 * A job's max_cost is a limit like a budget, for one job.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/ceiling.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* When money may be left over, at most this many chunks are made due. */
#define WAKE 8

/* Digits behind the point in messages, as in batchinf.usd. */
#define SHOWN_DIGITS 8

const char *const bi_ceiling_words[] = {
	[BI_ON_EXCEED_REFUSE] = "refuse",
	[BI_ON_EXCEED_WAIT] = "wait",
	[BI_ON_EXCEED_WARN] = "warn",
	NULL
};

bool
bi_ceiling_exists(void)
{
	return bi_sql_has_column("budget", "budget_id");
}

/* Makes all chunks due that wait for money.  The transaction is a user's: it takes what nobody
 * holds, and holds it until it ends. */
static void
wake_all(void)
{
	bi_sql_run("UPDATE batchinf.chunk SET next_step_at = now() WHERE chunk_id IN"
			   " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.wait_kind = 'budget'"
			   "  AND c.next_step_at > now() AND c.holder_pid IS NULL FOR UPDATE SKIP LOCKED)",
			   NULL);
}

int64
bi_ceiling_set(const BiBudget *budget)
{
	BiArgs		args = {0};
	int64		id;

	/* Two calls for the same budget must not both insert it.  Workers only read. */
	bi_sql_run("LOCK TABLE batchinf.budget IN SHARE ROW EXCLUSIVE MODE", NULL);
	bi_sql_arg(&args, OIDOID, ObjectIdGetDatum(budget->role), !OidIsValid(budget->role));
	bi_sql_arg(&args, OIDOID, ObjectIdGetDatum(budget->server), !OidIsValid(budget->server));
	bi_sql_arg_text(&args, budget->period);
	bi_sql_arg(&args, NUMERICOID, NumericGetDatum(budget->amount), false);
	bi_sql_arg_text(&args, bi_ceiling_words[budget->on_exceed]);
	bi_sql_arg_text(&args, OidIsValid(budget->role)
					? GetUserNameFromId(budget->role, false) : NULL);
	bi_sql_arg_text(&args, budget->server_name);
	bi_sql_arg_text(&args, GetUserNameFromId(GetUserId(), false));
	bi_sql_run("WITH same AS (SELECT h.budget_id FROM batchinf.budget_here h"
			   "  WHERE h.role IS NOT DISTINCT FROM $1 AND h.server IS NOT DISTINCT FROM $2"
			   "  AND h.period = $3 ORDER BY h.budget_id LIMIT 1),"
			   " changed AS (UPDATE batchinf.budget b SET role = $1, role_name = $6::name,"
			   "  server = $2, server_name = $7::name, amount = $4, on_exceed = $5,"
			   "  install = e.uuid, database = e.database, set_by = $8::name, set_at = now()"
			   "  FROM same s, batchinf.here e WHERE b.budget_id = s.budget_id"
			   "  RETURNING b.budget_id),"
			   " added AS (INSERT INTO batchinf.budget (role, role_name, server, server_name,"
			   "  period, amount, on_exceed, install, database, set_by)"
			   "  SELECT $1, $6::name, $2, $7::name, $3, $4, $5, e.uuid, e.database, $8::name"
			   "  FROM batchinf.here e WHERE NOT EXISTS (SELECT FROM same) RETURNING budget_id)"
			   " SELECT budget_id FROM changed UNION ALL SELECT budget_id FROM added", &args);
	id = bi_sql_int8(0, 1);
	wake_all();
	return id;
}

bool
bi_ceiling_drop(int64 id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, id);
	if (bi_sql_run("DELETE FROM batchinf.budget WHERE budget_id = $1", &args) == 0)
		return false;
	wake_all();
	return true;
}

/* Returns the number of the word; what is unknown is as strict as can be. */
static BiOnExceed
parse_word(const char *word)
{
	for (int i = 0; bi_ceiling_words[i]; i++)
		if (strcmp(bi_ceiling_words[i], word) == 0)
			return (BiOnExceed) i;
	return BI_ON_EXCEED_REFUSE;
}

/* Returns the ceilings of the last result. */
static List *
read_ceilings(int64 n)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *ceilings = NIL;

	for (int64 row = 0; row < n; row++)
	{
		BiCeiling  *ceiling = palloc(sizeof(BiCeiling));

		ceiling->name = bi_sql_text(cxt, row, 1);
		ceiling->is_budget = bi_sql_bool(row, 2);
		ceiling->amount = bi_sql_text(cxt, row, 3);
		ceiling->spent = bi_sql_text(cxt, row, 4);
		ceiling->reserved = bi_sql_text(cxt, row, 5);
		ceiling->on_exceed = parse_word(bi_sql_text(cxt, row, 6));
		ceiling->until = bi_sql_time(row, 7);
		ceiling->is_spent = bi_sql_bool(row, 8);
		ceiling->limit = bi_sql_numeric(row, 9);
		ceilings = lappend(ceilings, ceiling);
	}
	return ceilings;
}

/* Returns the ceilings of which the condition holds.  $5 is need in it. */
static List *
find_ceilings(const BiJob *job, Numeric need, const char *condition)
{
	MemoryContext cxt = CurrentMemoryContext;
	BiArgs		args = {0};
	int64		n;

	bi_sql_arg_oid(&args, job->owner);
	bi_sql_arg_oid(&args, job->server);
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_text(&args, job->spec.max_cost);
	bi_sql_arg(&args, NUMERICOID, need ? NumericGetDatum(need) : 0, need == NULL);
	n = bi_sql_rerun(psprintf("SELECT l.name, l.budget_id IS NOT NULL, batchinf.usd(l.amount),"
							  " batchinf.usd(l.spent), batchinf.usd(l.reserved), l.on_exceed,"
							  " l.period_end, $5 IS NULL OR l.spent + $5 > l.amount, l.amount"
							  " FROM batchinf.ceilings($1, $2, $3, $4::numeric) l WHERE %s"
							  " ORDER BY l.on_exceed = 'warn', l.on_exceed = 'wait',"
							  " l.budget_id IS NOT NULL, l.period_end DESC NULLS FIRST,"
							  " l.budget_id",
							  condition), &args);
	MemoryContextSwitchTo(cxt);
	return read_ceilings(n);
}

List *
bi_ceiling_exceeded(const BiJob *job, Numeric need)
{
	return find_ceilings(job, need, "$5 IS NULL OR l.spent + l.reserved + $5 > l.amount");
}

List *
bi_ceiling_passed(const BiJob *job)
{
	return find_ceilings(job, NULL, "l.spent > l.amount");
}

void
bi_ceiling_reserve(int64 chunk_id, Numeric amount)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg(&args, NUMERICOID, NumericGetDatum(amount), false);
	bi_sql_run("UPDATE batchinf.chunk SET reserved = cost + $2 WHERE chunk_id = $1", &args);
}

bool
bi_ceiling_never_fits(const BiCeiling *ceiling, Numeric need)
{
	return DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(need),
											NumericGetDatum(ceiling->limit)));
}

char *
bi_ceiling_text(Numeric amount)
{
	Datum		rounded = DirectFunctionCall2(numeric_round, NumericGetDatum(amount),
											  Int32GetDatum(SHOWN_DIGITS));

	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   DirectFunctionCall1(numeric_trim_scale, rounded)));
}

void
bi_ceiling_wake(const BiJob *job)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, job->owner);
	bi_sql_arg_oid(&args, job->server);
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_int4(&args, WAKE);
	bi_sql_rerun("UPDATE batchinf.chunk SET next_step_at = now() WHERE chunk_id IN"
				 " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.chunk_id IN"
				 "   (SELECT min(w.chunk_id) FROM batchinf.chunk w WHERE w.wait_kind = 'budget'"
				 "     AND w.next_step_at > now()"
				 "     AND (w.job_id = $3 OR EXISTS (SELECT FROM batchinf.budget_here b"
				 "       WHERE batchinf.counts(b.role, b.server, $1, $2)"
				 "       AND batchinf.counts(b.role, b.server, w.owner, w.server)))"
				 "    GROUP BY w.job_id ORDER BY 1 LIMIT $4)"
				 "  AND c.next_step_at > now() AND c.holder_pid IS NULL FOR UPDATE SKIP LOCKED)",
				 &args);
}
