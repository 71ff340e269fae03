/*
 * api/source.c: runs the user's query, as the user.
 *
 * A cursor is fetched in small pieces, so that memory stays flat.  What the query is
 * is decided on its analysed form, not on its text.  Knows nothing of jobs.  Called by
 * submit.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/source.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/bitmapset.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

/* A piece: so many rows at most, and about so many bytes, as the rows before were wide. */
#define FETCH_ROWS 100
#define FETCH_FIRST 10
#define FETCH_BYTES (4 * 1024 * 1024)

struct BiSource
{
	Portal		portal;
	TupleDesc	columns;
	Bitmapset  *wanted;
	List	   *key;			/* of int */
	TupleDesc	key_row;		/* of a composite key */
	MemoryContext cxt;			/* of the rows at hand */
	BiRow		rows[FETCH_ROWS];
	int			piece;			/* rows to ask for next */
	int			n;
	int			next;
};

static void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the query of batch_submit must be one SELECT, VALUES or TABLE"),
			 errdetail("%s", detail)));
}

static void
check_query(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	Query	   *query;

	if (sources == NIL)
		refuse("It is empty.");
	if (list_length(sources) > 1)
		refuse("It has several statements.");
	query = linitial_node(Query, ((CachedPlanSource *) linitial(sources))->query_list);
	if (query->commandType == CMD_UTILITY && IsA(query->utilityStmt, CreateTableAsStmt) &&
		castNode(CreateTableAsStmt, query->utilityStmt)->is_select_into)
		refuse("It has an INTO clause.");
	if (query->commandType == CMD_UTILITY)
		refuse("It is a utility statement.");
	if (query->commandType != CMD_SELECT)
		refuse("It changes data.");
	if (query->hasModifyingCTE)
		refuse("It has a WITH clause that changes data.");
}

BiSource *
bi_source_open(const char *query)
{
	BiSource   *source = palloc0(sizeof(BiSource));
	SPIPlanPtr	plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_NO_SCROLL);

	if (plan == NULL)
	{
		if (SPI_result == SPI_ERROR_COPY || SPI_result == SPI_ERROR_TRANSACTION)
			refuse("It is a utility statement.");
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	}
	check_query(plan);
	source->portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	source->columns = source->portal->tupDesc;
	source->piece = FETCH_FIRST;
	source->cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf source rows", ALLOCSET_DEFAULT_SIZES);
	return source;
}

TupleDesc
bi_source_columns(const BiSource *source)
{
	return source->columns;
}

int
bi_source_column(const BiSource *source, const char *name)
{
	for (int i = 0; i < source->columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(source->columns, i)->attname), name) == 0)
			return i + 1;
	return 0;
}

void
bi_source_want(BiSource *source, int column)
{
	source->wanted = bms_add_member(source->wanted, column);
}

/* The row type of ROW(a, b). */
static TupleDesc
make_key_row(TupleDesc columns, const List *key)
{
	TupleDesc	row = CreateTemplateTupleDesc(list_length(key));
	ListCell   *cell;

	foreach(cell, key)
		TupleDescCopyEntry(row, foreach_current_index(cell) + 1, columns, lfirst_int(cell));
	row->tdtypeid = RECORDOID;
	row->tdtypmod = -1;
	return BlessTupleDesc(row);
}

void
bi_source_set_key(BiSource *source, const List *columns)
{
	source->key = list_copy(columns);
	if (list_length(columns) > 1)
		source->key_row = make_key_row(source->columns, columns);
}

/* ROW(a, b)::text */
static char *
composite_text(const BiSource *source, HeapTuple tuple)
{
	int			n = list_length(source->key);
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);
	ListCell   *cell;
	HeapTuple	row;

	foreach(cell, source->key)
	{
		int			i = foreach_current_index(cell);

		values[i] = SPI_getbinval(tuple, source->columns, lfirst_int(cell), &nulls[i]);
	}
	row = heap_form_tuple(source->key_row, values, nulls);
	return OidOutputFunctionCall(F_RECORD_OUT, HeapTupleGetDatum(row));
}

static void
read_key(const BiSource *source, HeapTuple tuple, BiRow *row)
{
	ListCell   *cell;

	row->key = NIL;
	row->record_id = NULL;
	foreach(cell, source->key)
	{
		char	   *part = SPI_getvalue(tuple, source->columns, lfirst_int(cell));

		if (part == NULL)
			return;
		row->key = lappend(row->key, part);
	}
	if (source->key_row)
		row->record_id = composite_text(source, tuple);
	else
	{
		row->record_id = linitial(row->key);
		row->key = NIL;
	}
}

/* Keys are the same text whatever the session's settings are. */
static void
read_keys(BiSource *source)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("DateStyle", "ISO", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("IntervalStyle", "postgres", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; i < source->n; i++)
		read_key(source, SPI_tuptable->vals[i], &source->rows[i]);
	AtEOXact_GUC(false, level);
}

static void
read_values(const BiSource *source, HeapTuple tuple, BiRow *row)
{
	int			column = -1;

	row->values = palloc0(sizeof(char *) * source->columns->natts);
	while ((column = bms_next_member(source->wanted, column)) >= 0)
		row->values[column - 1] = SPI_getvalue(tuple, source->columns, column);
}

static int
next_piece(const BiSource *source)
{
	Size		bytes = MemoryContextMemAllocated(source->cxt, true) +
		MemoryContextMemAllocated(SPI_tuptable->tuptabcxt, true);
	Size		rows = FETCH_BYTES / (bytes / Max(source->n, 1) + 1);

	return (int) Max(1, Min(rows, Min(FETCH_ROWS, 2 * source->piece)));
}

static void
fetch(BiSource *source)
{
	MemoryContext old;

	MemoryContextReset(source->cxt);
	SPI_cursor_fetch(source->portal, true, source->piece);
	old = MemoryContextSwitchTo(source->cxt);
	source->n = (int) SPI_processed;
	source->next = 0;
	for (int i = 0; i < source->n; i++)
		read_values(source, SPI_tuptable->vals[i], &source->rows[i]);
	read_keys(source);
	source->piece = next_piece(source);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

BiRow *
bi_source_next(BiSource *source)
{
	if (source->next == source->n)
		fetch(source);
	return source->next < source->n ? &source->rows[source->next++] : NULL;
}
