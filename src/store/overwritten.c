/*
 * store/overwritten.c: the rows that a job has written, with what they held before.
 *
 * Those of updates are in batchinf.result, those of other writes in batchinf.written.
 */
#include "postgres.h"

#include "fmgr.h"
#include "store/overwritten.h"
#include "store/sql.h"
#include "utils/memutils.h"

/* A group has about this many bytes of old values at most. */
#define GROUP_BYTES (8 * 1024 * 1024)

BiOverwritten *
bi_overwritten_open(int64 job_id, bool is_written)
{
	BiOverwritten *group = palloc0(sizeof(BiOverwritten));

	group->job_id = job_id;
	group->is_written = is_written;
	group->cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf revert",
									   ALLOCSET_DEFAULT_SIZES);
	bi_overwritten_rewind(group);
	return group;
}

void
bi_overwritten_rewind(BiOverwritten *group)
{
	group->before = PG_INT64_MAX;
	group->before_item = PG_INT32_MAX;
}

/* Reads row i of the last result.  False if it is not known what it held. */
static bool
read_row(BiOverwrittenRow *row, int64 i)
{
	bool		isnull;
	Datum		print = bi_sql_datum(i, 5, &isnull);

	row->seq = bi_sql_int8(i, 1);
	row->record_id = bi_sql_text(CurrentMemoryContext, i, 2);
	row->key = bi_sql_texts(CurrentMemoryContext, i, 3);
	row->old = bi_sql_text(CurrentMemoryContext, i, 4);
	row->item = (int) bi_sql_int8(i, 6);
	row->added = bi_sql_bool(i, 7);
	row->fate = BI_FATE_GONE;
	if (isnull || (!row->added && row->old == NULL))
		return false;
	row->print = PointerGetDatum(DatumGetByteaPCopy(print));
	return true;
}

/* The LIMITs make it one look into each index for each record. */
#define UPDATED_ROWS \
	"SELECT r.seq, r.record_id, r.key, s.old, s.print, 0 AS item, false AS added" \
	" FROM batchinf.record r, LATERAL (SELECT s.old, s.print" \
	"  FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq" \
	"   AND s.attempt = r.attempt AND s.write_state = 'written' LIMIT 1) s" \
	" WHERE r.job_id = $1 AND r.seq < $2 AND $5 >= 0 ORDER BY r.seq DESC LIMIT $3"

#define WRITTEN_ROWS \
	"SELECT w.seq, w.row_id, w.key, w.old, w.print, w.item, w.added FROM batchinf.written w" \
	" WHERE w.job_id = $1 AND (w.seq, w.item) < ($2, $5) ORDER BY w.seq DESC, w.item DESC LIMIT $3"

/* The next group of either. */
#define GROUP_OF(rows) \
	"SELECT b.* FROM (SELECT g.*," \
	"   sum(octet_length(g.old)) OVER (ORDER BY g.seq DESC, g.item DESC)" \
	"    - octet_length(g.old) AS bytes FROM (" rows ") g) b" \
	" WHERE b.bytes IS NULL OR b.bytes < $4 ORDER BY b.seq DESC, b.item DESC"

int
bi_overwritten_read(BiOverwritten *group, BiFates *fates)
{
	BiArgs		args = {0};
	MemoryContext cxt;
	int64		found;

	MemoryContextReset(group->cxt);
	group->n = 0;
	bi_sql_arg_int8(&args, group->job_id);
	bi_sql_arg_int8(&args, group->before);
	bi_sql_arg_int4(&args, BI_OVERWRITTEN_ROWS);
	bi_sql_arg_int4(&args, GROUP_BYTES);
	bi_sql_arg_int4(&args, group->before_item);
	found = bi_sql_run(group->is_written ? GROUP_OF(WRITTEN_ROWS) : GROUP_OF(UPDATED_ROWS), &args);
	cxt = MemoryContextSwitchTo(group->cxt);
	for (int64 i = 0; i < found; i++)
	{
		if (read_row(&group->rows[group->n], i))
			group->n++;
		else
			bi_fate_count(fates, BI_FATE_UNKNOWN, 1);
		group->before = bi_sql_int8(i, 1);
		group->before_item = (int) bi_sql_int8(i, 6);
	}
	MemoryContextSwitchTo(cxt);
	return found == 0 ? -1 : group->n;
}
