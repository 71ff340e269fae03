/*
 * store/replaced.c: the table batchinf.replaced: values whose rows a job has replaced, and the rows
 * that were deleted for that.
 *
 * A value has a row with the number 0, which says what it has since: how many rows, and the sum of
 * their fingerprints.  batch_revert compares both with the rows that it finds.  The deleted rows
 * are texts, many in one piece; the first piece is in the same row.  A value of very many rows has
 * more pieces.
 *
 * Deleted rows of which one cannot be kept are not kept at all: then print is NULL.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/texts.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "store/aim.h"
#include "store/replaced.h"
#include "store/sql.h"
#include "store/target.h"
#include "utils/builtins.h"

/* A piece ends behind this many bytes. */
#define PIECE_BYTES (256 * 1024)

/* All pieces are stored when they take so much memory together. */
#define MEMORY_BYTES (8 * 1024 * 1024)

/* A lock of an object that does not exist: no statement takes it, so nobody else holds it up. */
void
bi_replaced_lock(const BiJob *job)
{
	const BiAim *aim = bi_aim_find(job);

	if (aim->why == NULL)
		LockDatabaseObject(bi_target_root(aim->relid), InvalidOid, 0, ExclusiveLock);
}

/*
 * Later jobs are asked themselves: what is remembered of rows goes by batch_forget, and by the next
 * refresh.  Only of a deleted job it is all that there is.  The LATERALs keep the planner from
 * reading all records of these jobs.
 */
int
bi_replaced_overtaken(const BiJob *job, const pg_uuid_t *values, int n, pg_uuid_t *overtaken)
{
	BiArgs		args = {0};
	int64		found;

	if (job->spec.pipeline == 0)
		return 0;
	bi_sql_arg_int4(&args, job->spec.pipeline);
	bi_sql_arg_uuids(&args, values, n);
	bi_sql_arg_int8(&args, job->id);
	found = bi_sql_run("WITH later AS MATERIALIZED (SELECT j.job_id FROM batchinf.job m"
					   "   JOIN batchinf.job j ON j.job_id > m.job_id"
					   "    AND (j.target = m.target OR j.target_name = m.target_name)"
					   "   WHERE m.job_id = $3 AND (j.spec->>'pipeline')::int = $1)"
					   " SELECT u.value FROM unnest($2) u(value) WHERE EXISTS"
					   " (SELECT FROM later j, LATERAL (SELECT r.seq, r.attempt"
					   "   FROM batchinf.record r WHERE r.job_id = j.job_id"
					   "   AND r.value >= u.value AND r.value <= u.value ORDER BY r.value) r,"
					   "  LATERAL (SELECT s.write_state FROM batchinf.result s"
					   "   WHERE s.job_id = j.job_id AND s.seq = r.seq AND s.attempt = r.attempt"
					   "   LIMIT 1) s WHERE s.write_state = 'written') OR EXISTS"
					   " (SELECT FROM batchinf.answered a WHERE a.pipeline_id = $1"
					   "  AND a.value = u.value AND a.job_id > $3 AND a.written AND NOT EXISTS"
					   "  (SELECT FROM batchinf.job j WHERE j.job_id = a.job_id))", &args);
	for (int64 i = 0; i < found; i++)
	{
		bool		isnull;

		overtaken[i] = *DatumGetUUIDP(bi_sql_datum(i, 1, &isnull));
	}
	return (int) found;
}

void
bi_replaced_sum(BiPrintSum *sum, const uint8 *print)
{
	sum->rows++;
	for (int half = 0; half < 2; half++)
	{
		uint64		number = 0;

		for (int i = 0; i < 8; i++)
			number = number << 8 | print[8 * half + i];
		sum->halves[half] += number;
	}
}

bytea *
bi_replaced_print(const BiPrintSum *sum)
{
	bytea	   *print = palloc(VARHDRSZ + 16);
	uint8	   *bytes = (uint8 *) VARDATA(print);

	SET_VARSIZE(print, VARHDRSZ + 16);
	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8) (sum->halves[i / 8] >> (56 - 8 * (i % 8)));
	return print;
}

bool
bi_replaced_equals(const BiPrintSum *sum, int64 rows, const bytea *print)
{
	bytea	   *ours = bi_replaced_print(sum);

	return sum->rows == rows && VARSIZE_ANY_EXHDR(print) == 16 &&
		memcmp(VARDATA(ours), VARDATA_ANY(print), 16) == 0;
}

BiReplacings *
bi_replaced_begin(const BiReplaced *values, const List *columns)
{
	BiReplacings *all = palloc0(sizeof(BiReplacings));

	all->values = values;
	all->columns = columns;
	all->each = palloc0(sizeof(BiReplacing) * (values->nvalues + 1));
	for (int i = 0; i < values->nvalues; i++)
		initStringInfo(&all->each[i].rows);
	return all;
}

/* Returns the value of the result. */
static BiReplacing *
find_value(BiReplacings *all, const BiResult *result)
{
	int			i = 0;

	while (i < all->values->nvalues &&
		   memcmp(&all->values->values[i], &result->value, sizeof(pg_uuid_t)) != 0)
		i++;
	if (i == all->values->nvalues)
		elog(ERROR, "record " INT64_FORMAT " has another value", result->seq);
	if (all->each[i].seq == 0)
		all->each[i].seq = result->seq;
	return &all->each[i];
}

/* Ends the piece of a value that is in memory, and returns it, palloc'd; NULL if it has no rows. */
static char *
end_piece(BiReplacings *all, BiReplacing *value)
{
	char	   *text = value->rows.len == 0 ? NULL : psprintf("%s]", value->rows.data);

	all->bytes -= value->rows.len;
	resetStringInfo(&value->rows);
	return text;
}

/* Stores the piece as the next one. */
static void
store_piece(BiReplacings *all, BiReplacing *value)
{
	BiArgs		args = {0};
	char	   *text = end_piece(all, value);

	if (text == NULL)
		return;
	bi_sql_arg_int8(&args, all->values->job_id);
	bi_sql_arg_int8(&args, value->seq);
	bi_sql_arg_int4(&args, ++value->pieces);
	bi_sql_arg_text(&args, text);
	bi_sql_run("INSERT INTO batchinf.replaced (job_id, seq, piece, old) VALUES ($1, $2, $3, $4)",
			   &args);
	pfree(text);
}

void
bi_replaced_remove(BiReplacings *all, const BiResult *result, const char *row)
{
	BiReplacing *value = find_value(all, result);
	size_t		len = row ? strlen(row) : 0;

	value->removed++;
	value->is_lost |= row == NULL;
	if (value->is_lost)
		return;
	appendStringInfoString(&value->rows, value->rows.len == 0 ? "[" : ",");
	appendBinaryStringInfo(&value->rows, row, (int) len);
	all->bytes += len + 1;
	if (value->rows.len > PIECE_BYTES)
		store_piece(all, value);
	for (int i = 0; all->bytes > MEMORY_BYTES && i < all->values->nvalues; i++)
		store_piece(all, &all->each[i]);
}

static void
add_print(BiReplacing *value, const BiResult *row)
{
	if (row->print)
		bi_replaced_sum(&value->added, (const uint8 *) VARDATA_ANY(row->print));
	else
		value->is_lost = true;
}

void
bi_replaced_add(BiReplacings *all, const BiResult *result)
{
	BiReplacing *value = find_value(all, result);

	if (result->items == NULL)
		add_print(value, result);
	for (int i = 0; result->items && i < result->nitems; i++)
		add_print(value, &result->items[i]);
}

/* Forgets the pieces of a value of which some rows cannot be kept. */
static void
drop_pieces(const BiReplacings *all, const BiReplacing *value)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, all->values->job_id);
	bi_sql_arg_int8(&args, value->seq);
	bi_sql_run("DELETE FROM batchinf.replaced WHERE job_id = $1 AND seq = $2", &args);
}

void
bi_replaced_store(BiReplacings *all)
{
	int			n = all->values->nvalues;
	Datum	   *columns[5];		/* seq, added, print, removed, old */
	bool	   *nulls[5];
	BiArgs		args = {0};
	List	   *names = list_copy(all->columns);

	for (int c = 0; c < 5; c++)
	{
		columns[c] = palloc0(sizeof(Datum) * (n + 1));
		nulls[c] = palloc0(sizeof(bool) * (n + 1));
	}
	for (int i = 0; i < n; i++)
	{
		BiReplacing *value = &all->each[i];
		char	   *old = end_piece(all, value);

		if (value->is_lost && value->pieces > 0)
			drop_pieces(all, value);
		columns[0][i] = Int64GetDatum(value->seq);
		columns[1][i] = Int64GetDatum(value->added.rows);
		columns[2][i] = PointerGetDatum(bi_replaced_print(&value->added));
		nulls[2][i] = value->is_lost;
		columns[3][i] = Int64GetDatum(value->removed);
		nulls[4][i] = old == NULL || value->is_lost;
		if (!nulls[4][i])
			columns[4][i] = CStringGetTextDatum(old);
	}
	bi_sql_arg_int8(&args, all->values->job_id);
	bi_sql_arg(&args, TEXTARRAYOID, bi_texts_array(names), false);
	bi_sql_arg_array(&args, INT8OID, columns[0], NULL, n);
	bi_sql_arg_array(&args, INT8OID, columns[1], NULL, n);
	bi_sql_arg_array(&args, BYTEAOID, columns[2], nulls[2], n);
	bi_sql_arg_array(&args, INT8OID, columns[3], NULL, n);
	bi_sql_arg_array(&args, TEXTOID, columns[4], nulls[4], n);
	bi_sql_run("INSERT INTO batchinf.replaced"
			   " (job_id, seq, piece, columns, added, print, removed, old)"
			   " SELECT $1, u.seq, 0, $2, u.added, u.print, u.removed, u.old"
			   " FROM unnest($3, $4, $5, $6, $7) u(seq, added, print, removed, old)", &args);
}

void
bi_replaced_forget(int64 job_id, Datum *seqs, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	/* The conditions on value leave one way: by the index of values (see replace.c). */
	bi_sql_run("WITH r AS MATERIALIZED (SELECT r.seq, r.attempt FROM unnest($2) u(seq),"
			   "   LATERAL (SELECT v.value FROM batchinf.record v"
			   "    WHERE v.job_id = $1 AND v.seq = u.seq LIMIT 1) v,"
			   "   LATERAL (SELECT r.seq, r.attempt FROM batchinf.record r WHERE r.job_id = $1"
			   "    AND r.value >= v.value AND r.value <= v.value ORDER BY r.value) r),"
			   " w AS (DELETE FROM batchinf.written w USING r"
			   "   WHERE w.job_id = $1 AND w.seq = r.seq),"
			   " up AS (UPDATE batchinf.result s SET write_state = 'reverted' FROM r"
			   "   WHERE s.job_id = $1 AND s.seq = r.seq AND s.attempt = r.attempt"
			   "    AND s.write_state = 'written' RETURNING s.chunk_id),"
			   " n AS (SELECT chunk_id, count(*) AS n FROM up GROUP BY chunk_id)"
			   " UPDATE batchinf.chunk c SET written = c.written - n.n,"
			   "   reverted = c.reverted + n.n"
			   "  FROM n WHERE c.chunk_id = n.chunk_id", &args);
	bi_sql_run("DELETE FROM batchinf.replaced p USING unnest($2) u(seq)"
			   " WHERE p.job_id = $1 AND p.seq = u.seq", &args);
}

int64
bi_replaced_unknown(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT count(*) FROM batchinf.record r JOIN batchinf.result s"
			   " ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt"
			   " WHERE r.job_id = $1 AND s.write_state = 'written'"
			   " AND r.value NOT IN (SELECT v.value FROM batchinf.replaced p"
			   "  JOIN batchinf.record v ON v.job_id = p.job_id AND v.seq = p.seq"
			   "  WHERE p.job_id = $1 AND p.piece = 0 AND v.value IS NOT NULL)", &args);
	return bi_sql_int8(0, 1);
}
