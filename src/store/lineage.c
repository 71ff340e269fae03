/*
 * store/lineage.c: which jobs have written a row.
 *
 * A row is found by its key as text (record.record_id, by a hash index) among the jobs of its
 * table.  Within this install and database that is the table with the job's oid, whatever its name
 * is now, or one with the same topmost table; if the job's table was dropped, the one that has its
 * name now.  Of a job of another install only the name counts.
 *
 * There is one function for each table that has writes; bi_lineage_find puts them together.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "store/keydoc.h"
#include "store/lineage.h"
#include "store/owner.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/datum.h"

/* The job of r.  The LIMIT makes it one look into the index for each record: there may be very many
 * jobs. */
#define JOB_OF_RECORD \
	" LATERAL (SELECT j.*, o.ours, o.server AS here FROM batchinf.job j" \
	"  JOIN batchinf.job_here o ON o.job_id = j.job_id WHERE j.job_id = r.job_id LIMIT 1) j"

/* True for jobs of the table $2 or one of the names $3. */
#define OF_TABLE \
	" ((j.ours AND COALESCE(pg_partition_root(j.target), j.target) = $2)" \
	"  OR (j.target_name = ANY ($3) AND NOT (j.ours" \
	"   AND (SELECT c.oid FROM pg_class c WHERE c.oid = j.target) IS NOT NULL)))"

/* What read_write reads of a job, in its order. */
#define JOB_COLUMNS \
	"j.job_id, (SELECT p.name FROM batchinf.pipeline p" \
	"  WHERE p.pipeline_id = (j.spec->>'pipeline')::int), (j.spec->>'version')::int," \
	" COALESCE((SELECT f.srvname FROM pg_foreign_server f WHERE f.oid = j.here), j.server_name)"

/* What all attempts of the record of s have cost. */
#define COST_OF_RECORD \
	"(SELECT sum(a.cost) FROM batchinf.result a WHERE a.job_id = s.job_id AND a.seq = s.seq)"

/* Adds the key, the topmost table and the names by which jobs are found. */
static void
arg_table(BiArgs *args, Oid relid, const char *key)
{
	Oid			root = bi_target_root(relid);
	Datum		names[2] = {
		CStringGetTextDatum(bi_target_name(relid)), CStringGetTextDatum(bi_target_name(root))
	};

	bi_sql_arg_text(args, key);
	bi_sql_arg_oid(args, root);
	bi_sql_arg_array(args, TEXTOID, names, NULL, 2);
}

/* Reads a row of the last result, without what bi_job_load reads. */
static BiLineage *
read_write(int64 row)
{
	BiLineage  *write = palloc0(sizeof(BiLineage));
	MemoryContext cxt = CurrentMemoryContext;
	bool		isnull;
	Datum		print;
	Datum		cost;

	write->job_id = bi_sql_int8(row, 1);
	write->pipeline = bi_sql_text(cxt, row, 2);
	write->version = (int) bi_sql_int8(row, 3);
	write->server = bi_sql_text(cxt, row, 4);
	write->model = bi_sql_text(cxt, row, 5);
	write->record_id = bi_sql_text(cxt, row, 6);
	write->key = bi_sql_texts(cxt, row, 7);
	write->finished_at = bi_sql_time(row, 8);
	print = bi_sql_datum(row, 9, &isnull);
	write->print = isnull ? NULL : DatumGetByteaPCopy(print);
	write->reverted = bi_sql_bool(row, 10);
	write->row_id = bi_sql_text(cxt, row, 11);
	write->by_primary_key = bi_sql_bool(row, 12);
	write->asked_at = bi_sql_time(row, 13);
	cost = bi_sql_datum(row, 14, &isnull);
	write->cost = isnull ? (Datum) 0 : datumCopy(cost, false, -1);
	return write;
}

/* Returns the writes that a statement finds. */
static List *
find_writes(const char *sql, Oid relid, const char *key)
{
	BiArgs		args = {0};
	List	   *writes = NIL;
	int64		n;

	arg_table(&args, relid, key);
	n = bi_sql_run(sql, &args);
	for (int64 i = 0; i < n; i++)
		writes = lappend(writes, read_write(i));
	return writes;
}

/* The writes of updates: those of batchinf.result. */
#define UPDATES \
	"SELECT " JOB_COLUMNS ", COALESCE(s.model, j.model), r.record_id, r.key," \
	"  s.finished_at, s.print, s.write_state = 'reverted', r.record_id, false," \
	"  COALESCE(s.write_asked, s.finished_at), " COST_OF_RECORD \
	" FROM batchinf.record r," JOB_OF_RECORD "," \
	" LATERAL (SELECT * FROM batchinf.result s WHERE s.job_id = r.job_id" \
	"  AND s.seq = r.seq AND s.attempt = r.attempt" \
	"  AND s.write_state IN ('written', 'reverted') LIMIT 1) s" \
	" WHERE r.record_id = $1 AND" OF_TABLE \
	" AND COALESCE(j.spec->>'write_mode', 'update') = 'update'" \
	" ORDER BY COALESCE(s.write_asked, s.finished_at) DESC, j.job_id DESC, r.seq DESC"

/* The writes of all others: those of batchinf.written. */
#define OTHERS \
	"SELECT " JOB_COLUMNS ", COALESCE(s.model, j.model), s.record_id, r.key," \
	"  s.finished_at, r.print, false, r.row_id, true," \
	"  COALESCE(s.write_asked, s.finished_at), " COST_OF_RECORD \
	" FROM batchinf.written r," JOB_OF_RECORD "," \
	" LATERAL (SELECT e.record_id, s.* FROM batchinf.record e, batchinf.result s" \
	"  WHERE e.job_id = r.job_id AND e.seq = r.seq AND s.job_id = e.job_id" \
	"  AND s.seq = e.seq AND s.attempt = e.attempt LIMIT 1) s" \
	" WHERE r.row_id = $1 AND" OF_TABLE \
	" ORDER BY COALESCE(s.write_asked, s.finished_at) DESC, j.job_id DESC, r.seq DESC," \
	"  r.item DESC"

/* The last write first. */
static int
compare_writes(const ListCell *a, const ListCell *b)
{
	const BiLineage *x = lfirst(a);
	const BiLineage *y = lfirst(b);

	if (x->asked_at != y->asked_at)
		return (x->asked_at < y->asked_at) - (x->asked_at > y->asked_at);
	return (x->job_id < y->job_id) - (x->job_id > y->job_id);
}

List *
bi_lineage_find(Oid relid, const char *key)
{
	List	   *others = bi_sql_has_column("written", "job_id")
		? find_writes(OTHERS, relid, key) : NIL;
	List	   *writes = list_concat(find_writes(UPDATES, relid, key), others);
	ListCell   *cell;

	if (others)
		list_sort(writes, compare_writes);

	foreach(cell, writes)
	{
		BiLineage  *write = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		write->job = bi_job_load(CurrentMemoryContext, write->job_id);
		if (write->job == NULL)
			writes = foreach_delete_current(writes, cell);
		else
			bi_aim_names(write->job, relid, &write->key_columns, &write->columns);
		if (write->by_primary_key)
			write->key_columns = bi_target_primary_key(relid);
	}
	return writes;
}

bytea *
bi_lineage_read(Oid relid, const BiLineage *write, Oid role)
{
	BiArgs		args = {0};
	BiTarget   *target;
	StringInfoData doc;
	bool		isnull;
	Datum		prints;

	if (list_member_ptr(write->columns, NULL) || list_member_ptr(write->key_columns, NULL))
		return NULL;
	target = bi_target_open_key(relid, write->key_columns);
	initStringInfo(&doc);
	appendStringInfoString(&doc, "[{");
	bi_keydoc_append(&doc, target, 1, write->row_id, write->key);
	appendStringInfoString(&doc, "}]");
	bi_sql_arg(&args, JSONOID, CStringGetTextDatum(doc.data), false);
	if (bi_owner_run_in_session(role, NULL, bi_statement_guard(target, write->columns),
								&args) == 0)
		return NULL;
	prints = bi_sql_datum(0, 2, &isnull);
	return isnull ? NULL : DatumGetByteaPCopy(prints);
}

bool
bi_lineage_holds(const BiLineage *write, const bytea *prints)
{
	Size		len = write->print ? VARSIZE_ANY_EXHDR(write->print) : 0;

	for (Size at = 0; len > 0 && prints && at + len <= VARSIZE_ANY_EXHDR(prints); at += len)
		if (memcmp(VARDATA_ANY(prints) + at, VARDATA_ANY(write->print), len) == 0)
			return true;
	return false;
}
