/*
 * intake/survey.c: what a job would be, without making it.
 *
 * The rows go the way that they go for batch_submit, up to the sink.  This one counts records.
 * What differs between two requests of a job is their input, so that equal ones are found by a
 * hash of it: a sort of eight bytes for each record, which spills to disk.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "intake/mode.h"
#include "intake/survey.h"
#include "miscadmin.h"
#include "utils/tuplesort.h"

/* A sink that counts.  On the stack of bi_survey_run. */
typedef struct Count
{
	BiSink		sink;			/* first: the planner knows this part only */
	const List *sources;		/* columns that are the value that is replaced; NIL: none are */
	Tuplesortstate *inputs;		/* hashes of all inputs */
} Count;

static void
count_record(BiSink *sink, int64 seq, const BiChunk *chunk, const BiDraft *draft)
{
	Count	   *count = (Count *) sink;
	uint64		hash;

	if (count->sources)
		(void) bi_mode_value(count->sources, draft);
	if (draft->input == NULL)
		return;
	hash = hash_bytes_extended((const unsigned char *) draft->input, (int) strlen(draft->input), 0);
	tuplesort_putdatum(count->inputs, Int64GetDatum((int64) hash), false);
}

/* Returns how many values are equal to one before. */
static int64
count_repeats(Tuplesortstate *inputs)
{
	int64		repeats = 0;
	int64		last = 0;
	bool		is_first = true;
	Datum		value;
	bool		isnull;

	tuplesort_performsort(inputs);
	while (bi_tuplesort_getdatum(inputs, &value, &isnull))
	{
		if (!is_first && DatumGetInt64(value) == last)
			repeats++;
		last = DatumGetInt64(value);
		is_first = false;
		CHECK_FOR_INTERRUPTS();
	}
	tuplesort_end(inputs);
	return repeats;
}

void
bi_survey_run(BiEnroll *enroll, BiSurvey *survey)
{
	Count		count = {{NULL, count_record, NULL}};
	const BiSpec *spec = &enroll->job.spec;
	BiIntake   *intake = enroll->intake;
	ListCell   *cell;

	if (enroll->rows && spec->in_flight != BI_IN_FLIGHT_SEND)
	{
		intake->sieve = bi_sieve_new(enroll->rows, spec->in_flight, NULL);
		bi_sieve_only_look(intake->sieve);
	}
	if (spec->write_mode == BI_WRITE_MODE_REPLACE)
		count.sources = bi_mode_sources(enroll->target);
	count.inputs = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem,
										 NULL, TUPLESORT_NONE);
	*survey = (BiSurvey) {.planned = bi_intake_run(intake, &count.sink)};
	survey->sent = survey->planned.records - survey->planned.skipped - survey->planned.repeats -
		survey->planned.cached;
	foreach(cell, survey->planned.chunks)
	{
		const BiChunk *chunk = lfirst(cell);

		survey->bytes += chunk->bytes;
		survey->tokens += chunk->tokens;
	}
	survey->repeats = count_repeats(count.inputs);
}
