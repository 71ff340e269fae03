/*
 * intake/source.c: runs the user's query, as the user.
 *
 * A cursor is read in small pieces, so that memory stays flat: the wider the rows, the fewer of
 * them are in a piece.  Whether the query is a SELECT is decided on its analysed form, not on its
 * text.
 *
 * The text forms of values are those of the user's settings (DateStyle and so on), as they would
 * see them.  The text of a key must find the same row whatever those settings are: it is made
 * under fixed ones.
 *
 * Knows nothing of jobs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/steady.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "intake/source.h"
#include "nodes/bitmapset.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

/* Rows of a piece at most, and of the first one; bytes of a piece, about, if the next rows are as
 * wide as those before. */
#define FETCH_ROWS 100
#define FETCH_FIRST 10
#define FETCH_BYTES (4 * 1024 * 1024)

struct BiSource
{
	Portal		portal;
	Query	   *query;
	TupleDesc	columns;
	Bitmapset  *wanted;			/* numbers of columns whose text is read */
	List	   *key;			/* numbers of the key's columns, int */
	List	   *carried;		/* numbers of the carried columns, int */
	TupleDesc	key_row;		/* row type of a key of several columns, else NULL */
	MemoryContext cxt;			/* of the rows of this piece; reset before the next */
	BiRow		rows[FETCH_ROWS];
	int			piece;			/* rows to ask for next */
	int			n;				/* rows of this piece */
	int			next;			/* the row to be returned next, an index of rows */
};

static void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"query\" must be one SELECT, VALUES or TABLE"),
			 errdetail("%s", detail)));
}

/* Returns the query of a plan.  Raises an error unless it is one query that only reads. */
static Query *
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
	return query;
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
	source->query = copyObject(check_query(plan));
	source->portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	source->columns = source->portal->tupDesc;
	source->piece = FETCH_FIRST;
	source->cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf source rows",
										ALLOCSET_DEFAULT_SIZES);
	return source;
}

Query *
bi_source_query(const BiSource *source)
{
	return source->query;
}

Snapshot
bi_source_snapshot(const BiSource *source)
{
	return source->portal->queryDesc->snapshot;
}

const List *
bi_source_key(const BiSource *source)
{
	return source->key;
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

/* Returns the row type of ROW(a, b). */
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

void
bi_source_carry(BiSource *source, const List *columns)
{
	source->carried = list_copy(columns);
}

/* Returns ROW(a, b)::text. */
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

static void
read_carried(const BiSource *source, HeapTuple tuple, BiRow *row)
{
	ListCell   *cell;

	row->columns = NIL;
	foreach(cell, source->carried)
		row->columns = lappend(row->columns,
							   SPI_getvalue(tuple, source->columns, lfirst_int(cell)));
}

/* Reads the keys and the carried columns of all rows of the piece, under settings that are always
 * the same. */
static void
read_keys(BiSource *source)
{
	int			level = bi_steady_begin();

	for (int i = 0; i < source->n; i++)
	{
		read_key(source, SPI_tuptable->vals[i], &source->rows[i]);
		read_carried(source, SPI_tuptable->vals[i], &source->rows[i]);
	}
	bi_steady_end(level);
}

static void
read_values(const BiSource *source, HeapTuple tuple, BiRow *row)
{
	int			column = -1;

	row->values = palloc0(sizeof(char *) * source->columns->natts);
	while ((column = bms_next_member(source->wanted, column)) >= 0)
		row->values[column - 1] = SPI_getvalue(tuple, source->columns, column);
}

/* Returns how many rows to ask for next, by the memory that the rows of this piece have taken. */
static int
next_piece(const BiSource *source)
{
	Size		bytes = MemoryContextMemAllocated(source->cxt, true) +
		MemoryContextMemAllocated(SPI_tuptable->tuptabcxt, true);
	Size		rows = FETCH_BYTES / (bytes / Max(source->n, 1) + 1);

	return (int) Max(1, Min(rows, Min(FETCH_ROWS, 2 * source->piece)));
}

/* Reads the next piece; source->n is 0 after the last. */
static void
fetch(BiSource *source)
{
	MemoryContext old;

	MemoryContextReset(source->cxt);
	/* what a statement of ours has left: otherwise it stays until SPI_finish */
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
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
	SPI_tuptable = NULL;
}

BiRow *
bi_source_next(BiSource *source)
{
	if (source->next == source->n)
		fetch(source);
	return source->next < source->n ? &source->rows[source->next++] : NULL;
}

void
bi_source_close(BiSource *source)
{
	SPI_cursor_close(source->portal);
}
