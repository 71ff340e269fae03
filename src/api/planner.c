/*
 * api/planner.c: cuts records into chunks by the server's limits on records, bytes
 * and estimated tokens, and finds duplicate keys.  A last chunk that is smaller than a batch
 * may be takes what it lacks from the one before.
 *
 * Sizes are exact, from the frame of the request line; tokens are estimated as a
 * quarter of the bytes.  Called by submit.c.
 */
#include "postgres.h"

#include "api/planner.h"
#include "base/compat.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#define BYTES_PER_TOKEN 4

struct BiPlanner
{
	MemoryContext cxt;
	MemoryContext row_cxt;
	const BiLimits *limits;
	const BiFrame *frame;
	int			max_attempts;
	int64		first;			/* records of the first chunk, or 0: as of the others */
	BiStage    *stage;
	Tuplesortstate *keys;
	List	   *chunks;			/* of BiChunk */
	BiChunk    *open;			/* the one that is being filled, or NULL */
	BiPlanned	planned;
	int64		job_id;
};

BiPlanner *
bi_planner_new(int64 job_id, const BiLimits *limits, const BiFrame *frame, int max_attempts, int64 first)
{
	BiPlanner  *planner = palloc0(sizeof(BiPlanner));

	planner->cxt = CurrentMemoryContext;
	planner->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf planner row", ALLOCSET_DEFAULT_SIZES);
	planner->job_id = job_id;
	planner->limits = limits;
	planner->frame = frame;
	planner->max_attempts = max_attempts;
	planner->first = first > 0 ? Max(first, limits->min_requests) : 0;
	planner->stage = bi_record_stage(CurrentMemoryContext, job_id);
	planner->keys = tuplesort_begin_datum(TEXTOID, TextLessOperator, C_COLLATION_OID, false, work_mem, NULL, TUPLESORT_NONE);
	return planner;
}

static void
open_chunk(BiPlanner *planner)
{
	BiChunk    *chunk = MemoryContextAllocZero(planner->cxt, sizeof(BiChunk));
	MemoryContext old = MemoryContextSwitchTo(planner->cxt);

	chunk->id = bi_chunk_reserve();
	chunk->job_id = planner->job_id;
	chunk->attempt = 1;
	chunk->attempts_left = planner->max_attempts - 1;
	bi_chunk_new_intent(chunk->intent);
	planner->chunks = lappend(planner->chunks, chunk);
	planner->open = chunk;
	MemoryContextSwitchTo(old);
}

/* May chunk have so much more? */
static bool
can_take(const BiLimits *limits, const BiChunk *chunk, int64 records, int64 bytes, int64 tokens)
{
	return chunk->records + records <= limits->max_requests && chunk->bytes + bytes <= limits->max_bytes &&
		(limits->max_enqueued_requests <= 0 || chunk->records + records <= limits->max_enqueued_requests) &&
		(limits->max_enqueued_tokens <= 0 || chunk->tokens + tokens <= limits->max_enqueued_tokens);
}

static bool
fits(const BiPlanner *planner, int64 bytes, int64 tokens)
{
	const BiChunk *chunk = planner->open;

	if (chunk == NULL || (planner->first > 0 && chunk == linitial(planner->chunks) && chunk->records >= planner->first))
		return false;
	return can_take(planner->limits, chunk, 1, bytes, tokens);
}

static int64
line_size(const BiPlanner *planner, int64 seq, const char *input)
{
	char		digits[32];

	return bi_frame_size(planner->frame, BI_NONCE_LEN + 1 + pg_lltoa(seq, digits), input);
}

static int64
tokens_of(int64 bytes)
{
	return bytes / BYTES_PER_TOKEN + 1;
}

static void
count_in(BiChunk *chunk, int records, int64 bytes, int64 tokens)
{
	chunk->records += records;
	chunk->bytes += bytes;
	chunk->tokens += tokens;
}

/* A key of 100 MB makes no message. */
#define SHOWN 200

const char *
bi_planner_shown(const char *record_id)
{
	size_t		len = strlen(record_id);

	return len <= SHOWN ? record_id : psprintf("%.*s…", pg_mbcliplen(record_id, SHOWN * 2, SHOWN), record_id);
}

static int64
place(BiPlanner *planner, int64 seq, const char *record_id, const char *input)
{
	int64		bytes = line_size(planner, seq, input);
	int64		tokens = tokens_of(bytes);

	if (bytes > planner->limits->max_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("record \"%s\" is larger than a whole batch may be", bi_planner_shown(record_id)),
				 errdetail("Its request has " INT64_FORMAT " bytes, the limit is " INT64_FORMAT ".", bytes, planner->limits->max_bytes)));
	if (!fits(planner, bytes, tokens))
		open_chunk(planner);
	count_in(planner->open, 1, bytes, tokens);
	return planner->open->id;
}

void
bi_planner_add(BiPlanner *planner, const char *record_id, const List *key, const char *input)
{
	MemoryContext old = MemoryContextSwitchTo(planner->row_cxt);
	int64		seq = ++planner->planned.records;
	int64		chunk_id = 0;

	tuplesort_putdatum(planner->keys, CStringGetTextDatum(record_id), false);
	if (input)
		chunk_id = place(planner, seq, record_id, input);
	else
		planner->planned.skipped++;
	bi_record_add(planner->stage, seq, chunk_id, record_id, key, input);
	MemoryContextSwitchTo(old);
	MemoryContextReset(planner->row_cxt);
}

static void
refuse_duplicates(Tuplesortstate *keys)
{
	Datum		value;
	bool		isnull;
	text	   *last = NULL;

	tuplesort_performsort(keys);
	while (bi_tuplesort_getdatum(keys, &value, &isnull))
	{
		text	   *key = DatumGetTextPP(value);

		if (last && VARSIZE_ANY_EXHDR(last) == VARSIZE_ANY_EXHDR(key) &&
			memcmp(VARDATA_ANY(last), VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNIQUE_VIOLATION),
					 errmsg("the query returns the key \"%s\" more than once", bi_planner_shown(text_to_cstring(key))),
					 errhint("Each record needs a key of its own: name other columns in the argument \"key\".")));
		if (last)
			pfree(last);
		last = key;
	}
	tuplesort_end(keys);
}

static void
borrow(BiPlanner *planner, BiChunk *from, BiChunk *to, int n)
{
	BiRecord   *records = palloc(sizeof(BiRecord) * n);

	n = bi_record_move_last(CurrentMemoryContext, from->id, to->id, n, records);
	for (int i = 0; i < n; i++)
	{
		int64		bytes = line_size(planner, records[i].seq, records[i].input);

		count_in(from, -1, -bytes, -tokens_of(bytes));
		count_in(to, 1, bytes, tokens_of(bytes));
	}
}

/* The last chunk becomes a part of the first one, where that has been kept small. */
static void
join_ends(BiPlanner *planner)
{
	BiChunk    *first = linitial(planner->chunks);
	BiChunk    *last = llast(planner->chunks);

	if (planner->first == 0 || !can_take(planner->limits, first, last->records, last->bytes, last->tokens))
		return;
	borrow(planner, last, first, (int) last->records);
	planner->chunks = list_delete_last(planner->chunks);
}

/* No batch may be smaller than the least the provider takes: it would be refused whole. */
static void
balance(BiPlanner *planner)
{
	const BiLimits *limits = planner->limits;
	BiChunk    *last = llast(planner->chunks);
	BiChunk    *before = list_nth(planner->chunks, list_length(planner->chunks) - 2);
	int64		lacking = limits->min_requests - last->records;
	ListCell   *cell;

	if (lacking > 0 && before->records - lacking >= limits->min_requests)
		borrow(planner, before, last, (int) lacking);
	else if (lacking > 0)
		join_ends(planner);
	foreach(cell, planner->chunks)
	{
		const BiChunk *chunk = lfirst(cell);

		if (chunk->records < limits->min_requests || chunk->bytes > limits->max_bytes)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the records cannot be cut into batches of at least " INT64_FORMAT " each", limits->min_requests),
					 errdetail("One with " INT64_FORMAT " records is as large as it may be.", chunk->records),
					 errhint("The server's options \"min_requests\", \"max_requests\", \"max_bytes\" and \"max_enqueued_tokens\" set the bounds.")));
	}
}

BiPlanned
bi_planner_finish(BiPlanner *planner)
{
	bi_record_flush(planner->stage);
	refuse_duplicates(planner->keys);
	if (list_length(planner->chunks) > 1)
		balance(planner);
	planner->planned.chunks = list_length(planner->chunks);
	return planner->planned;
}

void
bi_planner_chunks(BiPlanner *planner)
{
	ListCell   *cell;

	foreach(cell, planner->chunks)
		bi_chunk_insert(lfirst(cell));
}
