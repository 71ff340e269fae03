/*
 * api/preview_row.c: a row of batch_preview.
 *
 * Knows its columns, and how a request, an answer and its price are shown in them.
 */
#include "postgres.h"

#include "api/preview_row.h"
#include "engine/results/charge.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

static void
set(BiPreviewRow *row, BiPreviewColumn column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
set_text(BiPreviewRow *row, BiPreviewColumn column, const char *text)
{
	if (text)
		set(row, column, CStringGetTextDatum(text));
}

static void
set_jsonb(BiPreviewRow *row, BiPreviewColumn column, const char *text)
{
	if (text)
		set(row, column, DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

static void
set_count(BiPreviewRow *row, BiPreviewColumn column, int64 count)
{
	if (count >= 0)
		set(row, column, Int64GetDatum(count));
}

/* A body may be JSON that jsonb does not take, with the escape \u0000 in it: then it is shown as a
 * string. */
static void
set_request(BiPreviewRow *row, const char *body)
{
	StringInfoData text;

	initStringInfo(&text);
	if (bi_extract_is_json(body))
		appendStringInfoString(&text, body);
	else
		escape_json(&text, body);
	set_jsonb(row, BI_PREVIEW_REQUEST, text.data);
}

static void
set_cost(BiPreviewRow *row, BiTariffs *tariffs, const BiAnswer *answer)
{
	Numeric		cost = bi_charge_realtime(tariffs, answer);

	if (cost)
		set(row, BI_PREVIEW_COST, NumericGetDatum(cost));
}

/* Sets what the answer would write.  Its outcome may change: not every output fits its columns. */
static void
set_write_back(BiPreviewRow *row, const BiPreviewJob *preview, const BiDraft *draft,
			   BiResult *result)
{
	char	   *shown;

	result->record_id = draft->record_id;
	result->key = draft->key;
	result->columns = draft->columns;
	shown = bi_trial_run(preview->trial, result);
	set_jsonb(row, BI_PREVIEW_WRITE_BACK, shown);
	set_text(row, BI_PREVIEW_WRITE_ERROR, result->write_error);
}

static void
set_answer(BiPreviewRow *row, BiPreviewJob *preview, const BiDraft *draft, const BiAsk *ask)
{
	BiResult	result = {.seq = 1, .answer = ask->answer};

	set_request(row, ask->body);
	set_count(row, BI_PREVIEW_INPUT_TOKENS, ask->answer.input_tokens);
	set_count(row, BI_PREVIEW_OUTPUT_TOKENS, ask->answer.output_tokens);
	set_cost(row, &preview->tariffs, &ask->answer);
	if (ask->seconds >= 0)
		set(row, BI_PREVIEW_SECONDS, Float8GetDatum(ask->seconds));
	if (preview->trial)
		set_write_back(row, preview, draft, &result);
	set_text(row, BI_PREVIEW_OUTPUT, result.answer.output);
	set_text(row, BI_PREVIEW_OUTCOME, bi_outcome_name(result.answer.outcome));
	if (result.answer.error)
		set_text(row, BI_PREVIEW_ERROR,
				 psprintf("%s: %s", result.answer.error_code, result.answer.error));
}

void
bi_preview_row_fill(BiPreviewRow *row, BiPreviewJob *preview, const BiDraft *draft,
					const BiAsk *ask)
{
	memset(row->nulls, true, sizeof(row->nulls));
	set_text(row, BI_PREVIEW_RECORD_ID, draft->record_id);
	if (ask)
		set_answer(row, preview, draft, ask);
	else
		set_text(row, BI_PREVIEW_OUTCOME, bi_outcome_name(BI_OUTCOME_SKIPPED));
}
