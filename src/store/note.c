/*
 * store/note.c: what rows held before the UPDATE or DELETE of a write-back.
 *
 * Before PostgreSQL 18 an UPDATE cannot return what a row held.  A SELECT FOR UPDATE before it
 * costs too much, and a join with the table itself shows a row that another transaction has
 * changed meanwhile as it was before that.  So the UPDATE has one more condition, which is always
 * true: batch_note(place, seq, ROW(t.c0, ...)).  It keeps the text of the row in this process.
 *
 * PostgreSQL computes the conditions of a row shortly before it writes that row.  If another
 * transaction has changed the row, it computes them again for the newest version, and the new note
 * replaces the old one.  It computes RETURNING as soon as a row has been written, and before it
 * goes to the next one.  So batch_noted(place, seq) in RETURNING finds the note of that row: the
 * version that was overwritten.  A row whose conditions fail later, or that a trigger keeps as it
 * is, leaves a note that nobody takes; the next note replaces it.
 *
 * A DELETE calls batch_note in its RETURNING: that has the version which was deleted.  It may
 * delete any number of rows, so the notes go to a tuplestore, which goes to disk.
 *
 * The place is open during one statement only, and is found by a number that is random.  Anybody
 * may call both functions; without that number they do nothing.
 *
 * The notes are JSON arrays of texts, under the settings of base/steady.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "base/steady.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "store/note.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* A row whose values have more bytes is not noted. */
#define ROW_BYTES (32 * 1024 * 1024)

struct BiNotes
{
	int64		number;
	int			seq;			/* the row that text is of; 0: of none */
	StringInfoData text;		/* the last note */
	size_t		taken;			/* bytes of all notes that have been taken */
	Tuplestorestate *all;		/* all notes: seq, text; NULL if only the last one is kept */
	TupleTableSlot *slot;		/* the one of these that was read last */
	BiNotes    *outer;			/* the one that was opened before */
};

/* The place that was opened last; code of a write-back may run another one. */
static BiNotes *opened = NULL;

/* True if the role may call the function of ours with these types of arguments. */
static bool
may_call(Oid role, Oid schema, const char *name, const Oid *types, int n)
{
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(types, n)),
										   ObjectIdGetDatum(schema));

	return OidIsValid(function) && bi_function_aclcheck(function, role) == ACLCHECK_OK;
}

bool
bi_note_may(Oid role)
{
	const Oid	types[] = {INT8OID, INT4OID, RECORDOID};
	Oid			schema = bi_sql_schema_oid();

	return bi_namespace_aclcheck(schema, role) == ACLCHECK_OK &&
		may_call(role, schema, "batch_note", types, 3) &&
		may_call(role, schema, "batch_noted", types, 2) &&
		may_call(role, schema, "batch_fingerprint", types + 2, 1);
}

BiNotes *
bi_note_new(bool all)
{
	BiNotes    *notes = palloc0(sizeof(BiNotes));
	TupleDesc	desc;

	if (!pg_strong_random(&notes->number, sizeof(notes->number)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random number")));
	initStringInfo(&notes->text);
	if (!all)
		return notes;
	desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(desc, 1, "seq", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "text", TEXTOID, -1, 0);
	notes->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	notes->all = tuplestore_begin_heap(false, false, work_mem);
	return notes;
}

void
bi_note_open(BiNotes *notes)
{
	notes->outer = opened;
	opened = notes;
}

int64
bi_note_number(const BiNotes *notes)
{
	return notes->number;
}

void
bi_note_close(BiNotes *notes)
{
	opened = notes->outer;
}

bool
bi_note_next(BiNotes *notes, int *seq, char **row)
{
	/* The slot owns a tuple that comes from a file until it gets the next one. */
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(notes));
	bool		found = tuplestore_gettupleslot(notes->all, true, false, notes->slot);

	MemoryContextSwitchTo(old);
	if (!found)
		return false;
	slot_getallattrs(notes->slot);
	*seq = DatumGetInt32(notes->slot->tts_values[0]);
	*row = notes->slot->tts_isnull[1] ? NULL
		: TextDatumGetCString(notes->slot->tts_values[1]);
	return true;
}

void
bi_note_end(BiNotes *notes)
{
	ExecDropSingleTupleTableSlot(notes->slot);
	tuplestore_end(notes->all);
}

/* Adds the last note to all of them. */
static void
keep_note(BiNotes *notes, int seq)
{
	Datum		values[2] = {Int32GetDatum(seq)};
	bool		nulls[2] = {false, notes->seq == 0};

	if (!nulls[1])
		values[1] = PointerGetDatum(cstring_to_text_with_len(notes->text.data,
															 notes->text.len));
	tuplestore_putvalues(notes->all, notes->slot->tts_tupleDescriptor, values, nulls);
}

static BiNotes *
find_place(int64 number)
{
	BiNotes    *notes = opened;

	while (notes && notes->number != number)
		notes = notes->outer;
	return notes;
}

/* How the columns of a row become texts.  Lives as long as the call site. */
typedef struct Outputs
{
	Oid			type;			/* of the row */
	int32		typmod;
	bool		steady;			/* their texts are the same under all settings */
	int			n;
	FmgrInfo	functions[FLEXIBLE_ARRAY_MEMBER];
} Outputs;

static Outputs *
look_up_outputs(FmgrInfo *site, HeapTupleHeader row, TupleDesc desc)
{
	Outputs    *outputs = MemoryContextAlloc(site->fn_mcxt, offsetof(Outputs, functions) +
											 sizeof(FmgrInfo) * desc->natts);

	outputs->type = desc->tdtypeid;
	outputs->typmod = desc->tdtypmod;
	outputs->steady = bi_steady_is_row(row);
	outputs->n = desc->natts;
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &function, &is_varlena);
		fmgr_info_cxt(function, &outputs->functions[i], site->fn_mcxt);
	}
	site->fn_extra = outputs;
	return outputs;
}

/* Appends a text.  False if it cannot be kept: it is too large, or no valid text, as that of the
 * type "char" may be. */
static bool
append_text(StringInfo out, const char *text, bool steady)
{
	size_t		len = strlen(text);

	if (len + out->len > ROW_BYTES ||
		(!steady && !pg_verify_mbstr(GetDatabaseEncoding(), text, (int) len, true)))
		return false;
	escape_json(out, text);
	return true;
}

/* Writes the texts of the columns as a JSON array.  False if that cannot be kept. */
static bool
write_row(StringInfo out, HeapTupleHeader row, TupleDesc desc, Outputs *outputs)
{
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	bool		kept = true;

	heap_deform_tuple(&tuple, desc, values, nulls);
	appendStringInfoChar(out, '[');
	for (int i = 0; kept && i < desc->natts; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		if (nulls[i])
			appendStringInfoString(out, "null");
		else
			kept = append_text(out, OutputFunctionCall(&outputs->functions[i], values[i]),
							   outputs->steady);
	}
	appendStringInfoChar(out, ']');
	return kept;
}

/* Writes the row as the last note. */
static void
note_row(BiNotes *notes, int seq, FmgrInfo *site, HeapTupleHeader row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	Outputs    *outputs = site->fn_extra;
	int			level = 0;

	if (outputs == NULL || outputs->type != desc->tdtypeid || outputs->typmod != desc->tdtypmod)
		outputs = look_up_outputs(site, row, desc);
	notes->seq = 0;
	resetStringInfo(&notes->text);
	if (!outputs->steady)
		level = bi_steady_begin();
	if (write_row(&notes->text, row, desc, outputs))
		notes->seq = seq;
	if (level > 0)
		bi_steady_end(level);
	if (notes->all)
		keep_note(notes, seq);
	ReleaseTupleDesc(desc);
}

PG_FUNCTION_INFO_V1(batchinf_note);
PG_FUNCTION_INFO_V1(batchinf_noted);

/* batch_note(place bigint, seq int, row record) RETURNS bool: notes what the row holds.  True. */
Datum
batchinf_note(PG_FUNCTION_ARGS)
{
	BiNotes    *notes = find_place(PG_GETARG_INT64(0));

	if (notes)
		note_row(notes, PG_GETARG_INT32(1), fcinfo->flinfo, PG_GETARG_HEAPTUPLEHEADER(2));
	PG_RETURN_BOOL(true);
}

/* batch_noted(place bigint, seq int) RETURNS text: takes the note of the row that was written
 * last; NULL if there is none. */
Datum
batchinf_noted(PG_FUNCTION_ARGS)
{
	BiNotes    *notes = find_place(PG_GETARG_INT64(0));

	if (notes == NULL || notes->all || notes->seq == 0 || notes->seq != PG_GETARG_INT32(1))
		PG_RETURN_NULL();
	notes->seq = 0;
	if (notes->taken > 0 && notes->taken + notes->text.len > BI_NOTE_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the old values of a group of rows are too large")));
	notes->taken += notes->text.len;
	PG_RETURN_TEXT_P(cstring_to_text_with_len(notes->text.data, notes->text.len));
}
