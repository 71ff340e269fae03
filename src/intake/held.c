/*
 * intake/held.c: rows of a query that wait until all of them are known.
 *
 * A tuplestore with a column for each member of BiDraft.  Knows neither why they wait nor for what.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/texts.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "intake/held.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#define COLUMNS 4

struct BiHeld
{
	MemoryContext cxt;			/* of all of it */
	MemoryContext row_cxt;		/* of one row */
	Tuplestorestate *store;
	TupleTableSlot *slot;
};

BiHeld *
bi_held_new(void)
{
	BiHeld	   *held = palloc0(sizeof(BiHeld));
	TupleDesc	desc = CreateTemplateTupleDesc(COLUMNS);

	TupleDescInitEntry(desc, 1, "record_id", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "key", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(desc, 3, "input", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 4, "columns", TEXTARRAYOID, -1, 0);
	held->cxt = CurrentMemoryContext;
	held->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf held row",
										  ALLOCSET_DEFAULT_SIZES);
	held->store = tuplestore_begin_heap(false, false, work_mem);
	held->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return held;
}

void
bi_held_add(BiHeld *held, const BiDraft *row)
{
	MemoryContext old = MemoryContextSwitchTo(held->row_cxt);
	Datum		values[COLUMNS] = {CStringGetTextDatum(row->record_id)};
	bool		nulls[COLUMNS] = {
		false, row->key == NIL, row->input == NULL, row->columns == NIL
	};

	if (row->key)
		values[1] = bi_texts_array(row->key);
	if (row->input)
		values[2] = CStringGetTextDatum(row->input);
	if (row->columns)
		values[3] = bi_texts_array(row->columns);
	tuplestore_putvalues(held->store, held->slot->tts_tupleDescriptor, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(held->row_cxt);
}

/* The slot owns a tuple that comes from a file: that is not allocated in the context of a row. */
bool
bi_held_go_on(BiHeld *held)
{
	MemoryContext old = MemoryContextSwitchTo(held->cxt);
	bool		found = tuplestore_gettupleslot(held->store, true, false, held->slot);

	MemoryContextSwitchTo(old);
	return found;
}

void
bi_held_read(BiHeld *held, BiDraft *row)
{
	TupleTableSlot *slot = held->slot;
	MemoryContext old;

	MemoryContextReset(held->row_cxt);
	old = MemoryContextSwitchTo(held->row_cxt);
	slot_getallattrs(slot);
	memset(row, 0, sizeof(BiDraft));
	row->record_id = TextDatumGetCString(slot->tts_values[0]);
	row->key = slot->tts_isnull[1] ? NIL : bi_texts_list(slot->tts_values[1]);
	row->input = slot->tts_isnull[2] ? NULL : TextDatumGetCString(slot->tts_values[2]);
	row->columns = slot->tts_isnull[3] ? NIL : bi_texts_list(slot->tts_values[3]);
	MemoryContextSwitchTo(old);
}

void
bi_held_clear(BiHeld *held)
{
	tuplestore_clear(held->store);
}

bool
bi_held_has_any(const BiHeld *held)
{
	return tuplestore_tuple_count(held->store) > 0;
}

void
bi_held_free(BiHeld *held)
{
	ExecDropSingleTupleTableSlot(held->slot);
	tuplestore_end(held->store);
	MemoryContextDelete(held->row_cxt);
}
