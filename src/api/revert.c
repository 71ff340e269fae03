/*
 * api/revert.c: batch_revert: puts back what a job's answers have overwritten.
 *
 * In the caller's transaction.  The rows are written with the rights of the job's owner, as the
 * answers were.  A group that the table refuses is tried row by row, so that one row stops no
 * other.
 */
#include "postgres.h"

#include "api/procedure.h"
#include "engine/results/blame.h"
#include "engine/xact.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/job.h"
#include "store/putback.h"
#include "store/sql.h"

PG_FUNCTION_INFO_V1(batchinf_revert);

/* Some rows of the group that is read. */
typedef struct Piece
{
	BiPutback  *putback;
	int			first;
	int			n;
} Piece;

static void
write_piece(void *arg)
{
	Piece	   *piece = arg;

	bi_putback_write(piece->putback, piece->first, piece->n);
}

/* Puts back one row.  Raises errors that are not of this row. */
static void
write_alone(BiPutback *putback, int row)
{
	Piece		piece = {putback, row, 1};
	ErrorData  *error = bi_xact_try(write_piece, &piece);
	BiBlame		blame;

	if (error == NULL)
		return;
	blame = bi_blame(error->sqlerrcode);
	if (blame != BI_BLAME_VALUE && blame != BI_BLAME_CODE)
		ReThrowError(error);
	bi_putback_refuse(putback, row, error->message);
}

static void
write_group(BiPutback *putback, int n)
{
	Piece		group = {putback, 0, n};

	if (n == 0)
		return;
	if (n > 1 && bi_xact_try(write_piece, &group) == NULL)
		return;
	for (int i = 0; i < n; i++)
		write_alone(putback, i);
}

static void
append_reason(StringInfo out, int64 n, const char *what)
{
	if (n > 0)
		appendStringInfo(out, "%s%s: " INT64_FORMAT, out->len > 0 ? ", " : "", what, n);
}

/* Says how many rows were not put back, and why. */
static void
report_others(int64 job_id, const BiFates *fates)
{
	int64		others = fates->changed + fates->gone + fates->unknown + fates->refused;
	StringInfoData reasons;

	if (others == 0)
		return;
	initStringInfo(&reasons);
	append_reason(&reasons, fates->changed, "changed since");
	append_reason(&reasons, fates->gone, "gone");
	append_reason(&reasons, fates->unknown, "old value unknown");
	append_reason(&reasons, fates->refused, "refused by the table");
	ereport(NOTICE,
			(errmsg("not put back of batch job " INT64_FORMAT ": " INT64_FORMAT " rows (%s)",
					job_id, others, reasons.data),
			 fates->why ? errdetail("The first error was: %s", fates->why) : 0));
}

/* Says what does not come back with the rows of replaced values. */
static void
report_followers(int64 job_id, const BiPutback *putback)
{
	char	   *names = bi_putback_fates(putback)->reverted > 0
		? bi_putback_followers(putback) : NULL;

	if (names)
		ereport(NOTICE,
				(errmsg("rows of other tables that batch job " INT64_FORMAT
						" has deleted or changed by foreign keys are not put back", job_id),
				 errdetail("Foreign keys follow the rows that it has replaced from: %s.",
						   names)));
}

/* Returns how many rows were put back. */
static int64
put_back(const BiJob *job)
{
	BiPutback  *putback = bi_putback_open(job);
	int			n;

	do
	{
		while ((n = bi_putback_read(putback)) >= 0)
		{
			CHECK_FOR_INTERRUPTS();
			write_group(putback, n);
			bi_putback_save(putback);
		}
	} while (bi_putback_goes_on(putback));
	report_others(job->id, bi_putback_fates(putback));
	report_followers(job->id, putback);
	return bi_putback_fates(putback)->reverted;
}

/* Locks the job and returns it as it is then.  Raises an error if it has not ended. */
static BiJob *
lock_ended(int64 job_id)
{
	BiJob	   *job = bi_job_require(CurrentMemoryContext, job_id, "revert");

	bi_job_lock(job_id);
	job = bi_job_require(CurrentMemoryContext, job_id, "revert");
	bi_job_refuse_foreign(job, "revert");
	if (!job->ended)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot revert batch job " INT64_FORMAT ": it has not ended", job_id),
				 errhint("Use batch_cancel(" INT64_FORMAT ") to end it, and wait for its end.",
						 job_id)));
	return job;
}

/* batch_revert(job_id bigint) RETURNS bigint: how many rows hold again what they held before. */
Datum
batchinf_revert(PG_FUNCTION_ARGS)
{
	int64		job_id = bi_procedure_job(fcinfo);
	BiJob	   *job;
	int64		rows = 0;

	bi_sql_connect();
	job = lock_ended(job_id);
	if (OidIsValid(job->target))
		rows = put_back(job);
	bi_sql_finish();
	PG_RETURN_INT64(rows);
}
