/*
 * store/guard.c: what the guarded columns of the target's rows hold at submit.
 *
 * With each record a fingerprint of them is stored (batch_fingerprint).  The statement that writes
 * the answer computes it again and compares.  The rows are found by their keys, as the write will
 * find them, in the snapshot of the query, as the role that will write them.
 *
 * The fingerprint is of the columns' text, under settings that are always the same.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/digest.h"
#include "base/steady.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "store/guard.h"
#include "store/keydoc.h"
#include "store/owner.h"
#include "store/sql.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/* So many bytes of the SHA-256 are kept. */
#define PRINT_BYTES 16

struct BiGuard
{
	const BiTarget *target;
	Oid			role;			/* reads the rows */
	char	   *sql;
	SPIPlanPtr	plan;			/* NULL before the first use */
	Snapshot	snapshot;
};

bool
bi_guard_exists(void)
{
	return bi_sql_has_column("record", "guard");
}

List *
bi_guard_readable(Oid relid, const List *names, Oid role)
{
	List	   *readable = NIL;
	ListCell   *cell;

	foreach(cell, names)
		if (bi_target_has_right(relid, lfirst(cell), role, ACL_SELECT))
			readable = lappend(readable, lfirst(cell));
	return readable;
}

BiGuard *
bi_guard_open(const BiTarget *target, const List *names, Oid role, Snapshot snapshot)
{
	BiGuard    *guard = palloc0(sizeof(BiGuard));

	guard->target = target;
	guard->role = role;
	guard->snapshot = snapshot;
	guard->sql = bi_statement_guard(target, names);
	return guard;
}

static char *
build_document(const BiGuard *guard, const BiGuarded *rows, int n)
{
	StringInfoData doc;

	initStringInfo(&doc);
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(&doc, i == 0 ? "[{" : ",{");
		bi_keydoc_append(&doc, guard->target, i + 1, rows[i].record_id, rows[i].key);
		appendStringInfoChar(&doc, '}');
	}
	appendStringInfoChar(&doc, ']');
	return doc.data;
}

/* One reading. */
typedef struct Reading
{
	BiGuard    *guard;
	Datum		doc;
} Reading;

static void
read_rows(void *arg)
{
	Reading    *reading = arg;
	BiGuard    *guard = reading->guard;
	Oid			types[] = {JSONOID};
	int			code;

	if (guard->plan == NULL)
		guard->plan = SPI_prepare(guard->sql, 1, types);
	if (guard->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	code = SPI_execute_snapshot(guard->plan, &reading->doc, NULL, guard->snapshot,
								InvalidSnapshot, true, false, 0);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "could not read the target's rows: %s", SPI_result_code_string(code));
}

void
bi_guard_read(BiGuard *guard, BiGuarded *rows, int n)
{
	Reading		reading = {guard, CStringGetTextDatum(build_document(guard, rows, n))};
	MemoryContext cxt = CurrentMemoryContext;

	bi_owner_call(guard->role, read_rows, &reading);
	/* SPI leaves its own context current. */
	MemoryContextSwitchTo(cxt);
	for (int i = 0; i < n; i++)
		rows[i].guard = (Datum) 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		print = bi_sql_datum(i, 2, &isnull);

		if (!isnull)
			rows[bi_sql_int8(i, 1) - 1].guard = PointerGetDatum(DatumGetByteaPCopy(print));
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
}

/* The fingerprint */

PG_FUNCTION_INFO_V1(batchinf_fingerprint);

/* What is remembered for a call site, whose rows have one type. */
typedef struct Site
{
	bool		steady;			/* the text of the columns is the same under all settings */
	FmgrInfo	output;			/* record_out, which remembers those of the columns */
} Site;

static Site *
remember_site(FmgrInfo *function, HeapTupleHeader row)
{
	Site	   *site = MemoryContextAlloc(function->fn_mcxt, sizeof(Site));

	site->steady = bi_steady_is_row(row);
	fmgr_info_cxt(F_RECORD_OUT, &site->output, function->fn_mcxt);
	function->fn_extra = site;
	return site;
}

/*
 * batch_fingerprint(row record) RETURNS bytea: the first 16 bytes of the SHA-256 of the row's text.
 */
Datum
batchinf_fingerprint(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	Site	   *site = fcinfo->flinfo->fn_extra;
	uint8		digest[BI_DIGEST_SIZE];
	int			level = 0;

	if (site == NULL)
		site = remember_site(fcinfo->flinfo, row);
	if (!site->steady)
		level = bi_steady_begin();
	bi_digest_of(OutputFunctionCall(&site->output, HeapTupleHeaderGetDatum(row)), digest);
	if (level > 0)
		bi_steady_end(level);
	PG_RETURN_BYTEA_P(bi_digest_bytea(digest, PRINT_BYTES));
}
