/*
 * store/written.c: the table batchinf.written: rows that answers have added, or that an upsert has
 * overwritten.
 *
 * The INSERT or UPDATE returns the primary key of each row and a fingerprint of what it was given.
 * So batch_lineage finds whose row it is, and batch_revert puts it back if it still holds that: one
 * that was added goes, of one that was there the old values come back.
 */
#include "postgres.h"

#include "base/texts.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "access/transam.h"
#include "store/written.h"
#include "store/sql.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* True if the text of the column's values is made by PostgreSQL's own code. */
static bool
has_own_text(Oid relid, const char *column)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(get_atttype(relid, get_attnum(relid, column)), &output, &varlena);
	return output < FirstNormalObjectId;
}

List *
bi_written_key(Oid relid, Oid role)
{
	List	   *names = bi_target_primary_key(relid);
	ListCell   *cell;

	foreach(cell, names)
		if (!has_own_text(relid, lfirst(cell)) ||
			!bi_target_has_right(relid, lfirst(cell), role, ACL_SELECT))
			return NIL;
	return names;
}

/* The rows of one statement. */
typedef struct Rows
{
	int			n;
	Datum	   *seq;
	Datum	   *item;
	Datum	   *row_id;
	Datum	   *key;			/* NULL of a single column */
	bool	   *is_single;
	Datum	   *print;
	Datum	   *added;
	Datum	   *old;			/* NULL of a row that was added */
	bool	   *is_added;
} Rows;

/* Returns the key as record.record_id has it: the value, or ROW(a, b)::text. */
static Datum
row_id_of(const List *key)
{
	StringInfoData text;
	ListCell   *cell;

	if (list_length(key) == 1)
		return CStringGetTextDatum(linitial(key));
	initStringInfo(&text);
	foreach(cell, key)
	{
		const char *value = lfirst(cell);
		bool		quote = value[0] == '\0' || strpbrk(value, "\"\\(), \t\n\r\v\f") != NULL;

		appendStringInfoChar(&text, foreach_current_index(cell) ? ',' : '(');
		appendStringInfoString(&text, quote ? "\"" : "");
		for (const char *p = value; *p; p++)
		{
			if (*p == '"' || *p == '\\')
				appendStringInfoChar(&text, *p);
			appendStringInfoChar(&text, *p);
		}
		appendStringInfoString(&text, quote ? "\"" : "");
	}
	appendStringInfoChar(&text, ')');
	return CStringGetTextDatum(text.data);
}

static void
add_row(Rows *rows, const BiResult *row)
{
	int			i = rows->n;

	if (row->write_state != BI_WRITE_WRITTEN || row->row_key == NIL || row->print == NULL)
		return;
	rows->seq[i] = Int64GetDatum(row->seq);
	rows->item[i] = Int32GetDatum(Max(row->ordinal, 1));
	rows->row_id[i] = row_id_of(row->row_key);
	rows->is_single[i] = list_length(row->row_key) == 1;
	rows->key[i] = rows->is_single[i] ? (Datum) 0 : bi_texts_literal(row->row_key);
	rows->print[i] = PointerGetDatum(row->print);
	rows->is_added[i] = row->old == NULL;
	rows->added[i] = BoolGetDatum(row->old == NULL);
	rows->old[i] = row->old ? CStringGetTextDatum(row->old) : (Datum) 0;
	rows->n++;
}

static Datum *
new_column(size_t n)
{
	return palloc_extended(sizeof(Datum) * (n + 1), MCXT_ALLOC_HUGE);
}

static void
open_rows(Rows *rows, size_t most)
{
	rows->n = 0;
	rows->seq = new_column(most);
	rows->item = new_column(most);
	rows->row_id = new_column(most);
	rows->key = new_column(most);
	rows->is_single = palloc_extended(most + 1, MCXT_ALLOC_HUGE);
	rows->print = new_column(most);
	rows->added = new_column(most);
	rows->old = new_column(most);
	rows->is_added = palloc_extended(most + 1, MCXT_ALLOC_HUGE);
}

void
bi_written_store(const BiJob *job, const BiResult *results, int n)
{
	BiArgs		args = {0};
	size_t		most = 0;
	Rows		rows;

	if (!bi_spec_adds(&job->spec))
		return;
	for (int i = 0; i < n; i++)
		most += results[i].items ? results[i].nitems : 1;
	open_rows(&rows, most);
	for (int i = 0; i < n; i++)
	{
		if (results[i].items == NULL)
			add_row(&rows, &results[i]);
		for (int item = 0; results[i].items && item < results[i].nitems; item++)
			add_row(&rows, &results[i].items[item]);
	}
	if (rows.n == 0)
		return;
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_array(&args, INT8OID, rows.seq, NULL, rows.n);
	bi_sql_arg_array(&args, INT4OID, rows.item, NULL, rows.n);
	bi_sql_arg_array(&args, TEXTOID, rows.row_id, NULL, rows.n);
	bi_sql_arg_array(&args, TEXTOID, rows.key, rows.is_single, rows.n);
	bi_sql_arg_array(&args, BYTEAOID, rows.print, NULL, rows.n);
	bi_sql_arg_array(&args, BOOLOID, rows.added, NULL, rows.n);
	bi_sql_arg_array(&args, TEXTOID, rows.old, rows.is_added, rows.n);
	bi_sql_rerun("INSERT INTO batchinf.written"
				 " (job_id, seq, item, row_id, key, print, added, old)"
				 " SELECT $1, u.seq, u.item, u.row_id, u.key::text[], u.print, u.added, u.old"
				 " FROM unnest($2, $3, $4, $5, $6, $7, $8)"
				 " u(seq, item, row_id, key, print, added, old)", &args);
}

void
bi_written_forget(int64 job_id, Datum *seqs, Datum *items, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_arg_array(&args, INT8OID, seqs, NULL, n);
	bi_sql_arg_array(&args, INT4OID, items, NULL, n);
	bi_sql_run("DELETE FROM batchinf.written w USING unnest($2, $3) u(seq, item)"
			   " WHERE w.job_id = $1 AND w.seq = u.seq AND w.item = u.item", &args);
	args.n = 2;
	bi_sql_run("WITH up AS (UPDATE batchinf.result s SET write_state = 'reverted'"
			   "   FROM (SELECT DISTINCT u.seq FROM unnest($2) u(seq)) u,"
			   "   LATERAL (SELECT r.attempt FROM batchinf.record r"
			   "    WHERE r.job_id = $1 AND r.seq = u.seq LIMIT 1) r"
			   "   WHERE s.job_id = $1 AND s.seq = u.seq AND s.attempt = r.attempt"
			   "    AND s.write_state IN ('written', 'partly') AND NOT EXISTS"
			   "    (SELECT FROM batchinf.written w WHERE w.job_id = $1 AND w.seq = u.seq)"
			   "   RETURNING s.chunk_id, s.items_failed > 0 AS was_partly),"
			   " n AS (SELECT chunk_id, count(*) AS n,"
			   "   count(*) FILTER (WHERE was_partly) AS partly FROM up GROUP BY chunk_id)"
			   " UPDATE batchinf.chunk c SET written = c.written - (n.n - n.partly),"
			   "   partly = c.partly - n.partly, reverted = c.reverted + n.n"
			   "  FROM n WHERE c.chunk_id = n.chunk_id", &args);
}

int64
bi_written_unknown(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT count(*) FROM batchinf.result s JOIN batchinf.record r"
			   " ON r.job_id = s.job_id AND r.seq = s.seq AND r.attempt = s.attempt"
			   " WHERE s.job_id = $1 AND s.write_state IN ('written', 'partly')"
			   " AND COALESCE(s.items, 1) > 0 AND NOT EXISTS (SELECT FROM batchinf.written w"
			   "  WHERE w.job_id = $1 AND w.seq = s.seq)", &args);
	return bi_sql_int8(0, 1);
}
