/*
 * intake/planner.c: numbers the records of a job and cuts them into chunks.
 *
 * A chunk is filled until the next record does not fit the limits of a batch: records, bytes and
 * tokens.  The size of a request is exact, from the frame of the job's request lines; its tokens
 * are estimated (weigh.c).  Two things need a look at the end:
 *
 * - The last chunk may be smaller than the provider takes a batch.  Then it gets what it lacks
 *   from the chunk before, or becomes a part of the first chunk where that was kept small.  For
 *   this the planner remembers what each of the last min_requests requests takes up.
 * - Two records may have the same key.  All keys go into a sort that spills to disk.
 *
 * Copies (repeats.c) go into chunks of their own, which have the same limits, because they are sent
 * if they lose their source.  Repeats stand in the order of their sources: those of one chunk in
 * one chunk, which waits for that one alone.
 *
 * Knows no table: records go to the caller's sink, chunks are returned.  Its memory does not grow
 * with the number of records.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "intake/planner.h"
#include "intake/weigh.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "store/rate.h"
#include "store/record.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

/* Characters of a key in a message: a key may have 100 MB. */
#define SHOWN 200

/* What a request takes up of the limits of a batch. */
typedef struct Heft
{
	int64		bytes;
	int64		tokens;
} Heft;

/* A chunk that has sources of copies, and the chunk that is being filled with their repeats. */
typedef struct Place
{
	int64		first_seq;
	BiChunk    *chunk;
	BiChunk    *repeats;		/* NULL: it has none yet */
} Place;

/* The chunks of one kind in the order of their records. */
typedef struct Places
{
	int			n;
	int			size;
	Place	   *places;
} Places;

struct BiPlanner
{
	MemoryContext cxt;			/* of the planner and its chunks */
	MemoryContext row_cxt;		/* of one record; reset after each */
	const BiLimits *limits;
	const BiFrame *frame;
	BiWeigh		weigh;
	BiSink	   *sink;
	int			max_attempts;
	int64		first_records;	/* limit of the first chunk; 0: the same as of the others */
	Tuplesortstate *keys;		/* all record ids */
	BiPlanned	planned;
	BiChunk    *open;			/* the chunk that is being filled, or NULL */
	BiChunk    *cached;			/* the same of cached records */
	Places		of_sent;
	Places		of_cached;
	int64		sent;			/* records that are not skipped */
	Heft	   *hefts;			/* of the last min_requests requests: that of the i-th record sent,
								 * from 0, is at i modulo min_requests.  NULL if a batch may have
								 * one record */
};

BiPlanner *
bi_planner_new(const BiSpec *spec, const BiLimits *limits, const BiFrame *frame, BiSink *sink)
{
	BiPlanner  *planner = palloc0(sizeof(BiPlanner));

	planner->cxt = CurrentMemoryContext;
	planner->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf planner row",
											 ALLOCSET_DEFAULT_SIZES);
	planner->limits = limits;
	planner->frame = frame;
	planner->weigh = bi_weigh_of(spec);
	planner->sink = sink;
	planner->max_attempts = spec->max_attempts;
	if (spec->max_failure_rate)
		planner->first_records = Max(BI_RATE_ENOUGH, limits->min_requests);
	planner->keys = tuplesort_begin_datum(TEXTOID, TextLessOperator, C_COLLATION_OID, false,
										  work_mem, NULL, TUPLESORT_NONE);
	if (limits->min_requests > 1)
		planner->hefts = palloc(sizeof(Heft) * limits->min_requests);
	return planner;
}

/* Returns a new chunk.  source: of repeats, the chunk that they wait for. */
static BiChunk *
new_chunk(BiPlanner *planner, BiCopies copies, const BiChunk *source)
{
	MemoryContext old = MemoryContextSwitchTo(planner->cxt);
	BiPlanned  *planned = &planner->planned;
	BiChunk    *chunk = palloc0(sizeof(BiChunk));

	chunk->attempt = 1;
	chunk->attempts_left = planner->max_attempts - 1;
	chunk->copies = copies;
	chunk->source_chunk = source ? source->id : 0;
	if (planner->sink->on_chunk)
		planner->sink->on_chunk(planner->sink, chunk);
	if (copies == BI_COPIES_NONE)
		planned->chunks = lappend(planned->chunks, chunk);
	else
		planned->copies = lappend(planned->copies, chunk);
	MemoryContextSwitchTo(old);
	return chunk;
}

/* Remembers that a chunk begins with the record that is being added. */
static void
note_place(BiPlanner *planner, Places *places, BiChunk *chunk)
{
	if (places->n == places->size)
	{
		places->size = Max(64, 2 * places->size);
		places->places = places->places
			? repalloc_huge(places->places, places->size * sizeof(Place))
			: MemoryContextAllocHuge(planner->cxt, places->size * sizeof(Place));
	}
	places->places[places->n++] = (Place) {planner->planned.records, chunk, NULL};
}

/* Returns the place of the chunk that has a record of that number: the last one that begins with it
 * or before it. */
static Place *
find_place(const Places *places, int64 seq)
{
	int			low = 0;
	int			high = places->n - 1;

	while (low < high)
	{
		int			middle = (low + high + 1) / 2;

		if (places->places[middle].first_seq <= seq)
			low = middle;
		else
			high = middle - 1;
	}
	return places->n > 0 ? &places->places[low] : NULL;
}

static void
open_chunk(BiPlanner *planner)
{
	planner->open = new_chunk(planner, BI_COPIES_NONE, NULL);
	note_place(planner, &planner->of_sent, planner->open);
}

/* True if the chunk stays within the limits of a batch with that many records more, which take up
 * that together. */
static bool
can_take(const BiLimits *limits, const BiChunk *chunk, int64 records, Heft heft)
{
	int64		max_records = limits->max_requests;
	int64		max_tokens = limits->max_enqueued_tokens;

	if (limits->max_enqueued_requests > 0)
		max_records = Min(max_records, limits->max_enqueued_requests);
	return chunk->records + records <= max_records &&
		chunk->bytes + heft.bytes <= limits->max_bytes &&
		(max_tokens <= 0 || chunk->tokens + heft.tokens <= max_tokens);
}

/* True if the chunk that is being filled can take one more record. */
static bool
fits(const BiPlanner *planner, Heft heft)
{
	const BiChunk *chunk = planner->open;
	bool		is_first;

	if (chunk == NULL)
		return false;
	is_first = chunk == linitial(planner->planned.chunks);
	if (is_first && planner->first_records > 0 && chunk->records >= planner->first_records)
		return false;
	return can_take(planner->limits, chunk, 1, heft);
}

/* Adds to a chunk, or takes from it if records is -1. */
static void
count_request(BiChunk *chunk, int records, Heft heft)
{
	chunk->records += records;
	chunk->bytes += records * heft.bytes;
	chunk->tokens += records * heft.tokens;
}

const char *
bi_planner_shown(const char *record_id)
{
	size_t		len = strlen(record_id);
	int			clip;

	if (len <= SHOWN)
		return record_id;
	clip = pg_mbcliplen(record_id, SHOWN * 2, SHOWN);
	return psprintf("%.*s…", clip, record_id);
}

static void
check_size(const BiLimits *limits, const char *record_id, int64 bytes)
{
	if (bytes <= limits->max_bytes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("record \"%s\" is larger than a whole batch may be",
					bi_planner_shown(record_id)),
			 errdetail("Its request has " INT64_FORMAT " bytes, the limit is " INT64_FORMAT ".",
					   bytes, limits->max_bytes)));
}

/* Returns the chunk for a request that takes up that much, which is sent. */
static BiChunk *
place_request(BiPlanner *planner, Heft heft)
{
	if (!fits(planner, heft))
		open_chunk(planner);
	if (planner->hefts)
		planner->hefts[planner->sent % planner->limits->min_requests] = heft;
	planner->sent++;
	return planner->open;
}

/* True if there is a chunk that is being filled, and it can take one more copy. */
static bool
takes_copy(const BiPlanner *planner, const BiChunk *chunk, Heft heft)
{
	return chunk && can_take(planner->limits, chunk, 1, heft);
}

static BiChunk *
place_cached(BiPlanner *planner, Heft heft)
{
	planner->planned.cached++;
	if (!takes_copy(planner, planner->cached, heft))
	{
		planner->cached = new_chunk(planner, BI_COPIES_CACHED, NULL);
		note_place(planner, &planner->of_cached, planner->cached);
	}
	return planner->cached;
}

static BiChunk *
place_repeat(BiPlanner *planner, const BiDraft *draft, Heft heft)
{
	const Places *places = draft->is_of_cached && planner->of_cached.n > 0
		? &planner->of_cached : &planner->of_sent;
	Place	   *place = find_place(places, draft->source_seq);

	planner->planned.repeats++;
	if (!takes_copy(planner, place->repeats, heft))
		place->repeats = new_chunk(planner, BI_COPIES_REPEAT, place->chunk);
	return place->repeats;
}

/* Finds the chunk for a record with input, and counts its request in. */
static BiChunk *
place_record(BiPlanner *planner, const BiDraft *draft)
{
	char		digits[32];
	int			id_len = BI_NONCE_LEN + 1 + pg_lltoa(planner->planned.records, digits);
	Heft		heft = {
		bi_frame_size(planner->frame, id_len, draft->input),
		bi_weigh_tokens(&planner->weigh, draft->input)
	};
	BiChunk    *chunk;

	check_size(planner->limits, draft->record_id, heft.bytes);
	if (draft->copies == BI_COPIES_REPEAT)
		chunk = place_repeat(planner, draft, heft);
	else if (draft->copies == BI_COPIES_CACHED)
		chunk = place_cached(planner, heft);
	else
		chunk = place_request(planner, heft);
	count_request(chunk, 1, heft);
	return chunk;
}

void
bi_planner_add(BiPlanner *planner, const BiDraft *draft)
{
	MemoryContext old = MemoryContextSwitchTo(planner->row_cxt);
	int64		seq = ++planner->planned.records;
	BiChunk    *chunk = NULL;

	tuplesort_putdatum(planner->keys, CStringGetTextDatum(draft->record_id), false);
	if (draft->input)
		chunk = place_record(planner, draft);
	else
		planner->planned.skipped++;
	if (planner->sink->on_record)
		planner->sink->on_record(planner->sink, seq, chunk, draft);
	MemoryContextSwitchTo(old);
	MemoryContextReset(planner->row_cxt);
}

static bool
is_same(const text *a, const text *b)
{
	Size		len = VARSIZE_ANY_EXHDR(a);

	return len == VARSIZE_ANY_EXHDR(b) && memcmp(VARDATA_ANY(a), VARDATA_ANY(b), len) == 0;
}

void
bi_planner_refuse_equal(const char *record_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("the query returns the key \"%s\" more than once",
					bi_planner_shown(record_id)),
			 errhint("Each record needs a key of its own: name other columns in the"
					 " argument \"key\".")));
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

		if (last && is_same(last, key))
			bi_planner_refuse_equal(text_to_cstring(key));
		if (last)
			pfree(last);
		last = key;
	}
	tuplesort_end(keys);
}

/* Moves the last n records of from to to.  end is the number of records sent up to the last of
 * them. */
static void
move_last(BiPlanner *planner, BiChunk *from, BiChunk *to, int n, int64 end)
{
	for (int64 i = end - n; i < end; i++)
	{
		Heft		heft = planner->hefts[i % planner->limits->min_requests];

		count_request(from, -1, heft);
		count_request(to, 1, heft);
	}
	if (planner->sink->on_move)
		planner->sink->on_move(planner->sink, from, to, n);
}

/* Makes the last chunk a part of the first one, where that was kept small and can take it. */
static void
join_ends(BiPlanner *planner)
{
	BiChunk    *first = linitial(planner->planned.chunks);
	BiChunk    *last = llast(planner->planned.chunks);

	if (planner->first_records == 0 ||
		!can_take(planner->limits, first, last->records, (Heft) {last->bytes, last->tokens}))
		return;
	move_last(planner, last, first, (int) last->records, planner->sent);
	planner->planned.chunks = list_delete_last(planner->planned.chunks);
}

static void
check_chunk(const BiLimits *limits, const BiChunk *chunk)
{
	if (chunk->records >= limits->min_requests && chunk->bytes <= limits->max_bytes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the records cannot be cut into batches of at least " INT64_FORMAT " each",
					limits->min_requests),
			 errdetail("One with " INT64_FORMAT " records is as large as it may be.",
					   chunk->records),
			 errhint("The server's options \"min_requests\", \"max_requests\", \"max_bytes\" and"
					 " \"max_enqueued_tokens\" set the bounds.")));
}

/* Sees to it that no chunk is too small for a batch: the provider would refuse it as a whole. */
static void
balance(BiPlanner *planner)
{
	List	   *chunks = planner->planned.chunks;
	int64		min_records = planner->limits->min_requests;
	BiChunk    *last = llast(chunks);
	BiChunk    *before = list_nth(chunks, list_length(chunks) - 2);
	int64		lacking = min_records - last->records;
	ListCell   *cell;

	if (lacking > 0 && before->records - lacking >= min_records)
		move_last(planner, before, last, (int) lacking, planner->sent - last->records);
	else if (lacking > 0)
		join_ends(planner);
	foreach(cell, planner->planned.chunks)
		check_chunk(planner->limits, lfirst(cell));
}

BiPlanned
bi_planner_finish(BiPlanner *planner)
{
	refuse_duplicates(planner->keys);
	if (list_length(planner->planned.chunks) > 1)
		balance(planner);
	return planner->planned;
}
