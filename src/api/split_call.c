/*
 * api/split_call.c: batch_split.
 *
 * A set-returning function that gives one row a call, so that no more than the text and one piece
 * is in memory; PostgreSQL itself spools the rows to disk where it needs to keep them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/split.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(batchinf_split);

static void
check_arguments(int size, int overlap)
{
	if (size < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"size\": %d", size),
				 errhint("A piece has at least one character; 1000 is a common size.")));
	if (overlap < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"overlap\": %d", overlap),
				 errhint("Use 0 for pieces that do not overlap.")));
	if (overlap >= size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"overlap\" must be less than argument \"size\""),
				 errdetail("\"overlap\" is %d, \"size\" is %d.", overlap, size),
				 errhint("A tenth of the size is a common overlap.")));
}

/* Returns the repertoire of this database.  It is made once and stays as long as the process. */
static const BiRepertoire *
own_repertoire(void)
{
	static BiRepertoire *repertoire = NULL;

	if (repertoire == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		repertoire = bi_repertoire_make(GetDatabaseEncoding());
		MemoryContextSwitchTo(old);
	}
	return repertoire;
}

/* At the first call: what the others go on with. */
static void
begin(FunctionCallInfo fcinfo, FuncCallContext *call)
{
	int			size = PG_GETARG_INT32(1);
	int			overlap = PG_GETARG_INT32(2);
	MemoryContext old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	BiSplit    *split = palloc(sizeof(BiSplit));
	text	   *whole;

	check_arguments(size, overlap);
	if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type "
						"record")));
	call->tuple_desc = BlessTupleDesc(call->tuple_desc);
	whole = PG_GETARG_TEXT_P_COPY(0);
	bi_split_begin(split, VARDATA(whole), VARSIZE(whole) - VARHDRSZ, own_repertoire(), size,
				   overlap);
	call->user_fctx = split;
	MemoryContextSwitchTo(old);
}

/* batch_split(text, size, overlap) */
Datum
batchinf_split(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	BiSplitPiece piece;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (SRF_IS_FIRSTCALL())
	{
		call = SRF_FIRSTCALL_INIT();
		begin(fcinfo, call);
	}
	call = SRF_PERCALL_SETUP();
	if (!bi_split_next(call->user_fctx, &piece))
		SRF_RETURN_DONE(call);
	values[0] = Int32GetDatum((int32) call->call_cntr + 1);
	values[1] = Int32GetDatum((int32) piece.start);
	values[2] = PointerGetDatum(cstring_to_text_with_len(piece.text, (int) piece.len));
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}
