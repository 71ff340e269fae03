/*
 * api/preview_row.h: a row of batch_preview.
 */
#ifndef BI_PREVIEW_ROW_H
#define BI_PREVIEW_ROW_H

#include "engine/realtime/ask.h"
#include "engine/results/trial.h"
#include "intake/planner.h"
#include "store/tariff.h"

/* The columns of batch_preview, in their order. */
typedef enum BiPreviewColumn
{
	BI_PREVIEW_RECORD_ID,
	BI_PREVIEW_REQUEST,
	BI_PREVIEW_OUTPUT,
	BI_PREVIEW_OUTCOME,
	BI_PREVIEW_ERROR,
	BI_PREVIEW_INPUT_TOKENS,
	BI_PREVIEW_OUTPUT_TOKENS,
	BI_PREVIEW_COST,
	BI_PREVIEW_SECONDS,
	BI_PREVIEW_WRITE_BACK,
	BI_PREVIEW_WRITE_ERROR,
	BI_PREVIEW_COLUMNS
} BiPreviewColumn;

/* A row.  Made by the function below, in the caller's context; not changed afterwards. */
typedef struct BiPreviewRow
{
	Datum		values[BI_PREVIEW_COLUMNS];
	bool		nulls[BI_PREVIEW_COLUMNS];
} BiPreviewRow;

/* What the rows of one call have in common.  A variable of its function, which sets all of it. */
typedef struct BiPreviewJob
{
	BiTariffs	tariffs;		/* of the job as it was asked */
	BiTrial    *trial;			/* NULL: the job has no target */
} BiPreviewJob;

/*
 * Sets the row of a record, with its answer; ask is NULL for a record that is skipped.  Its values
 * are palloc'd in the current context.  Needs SPI.
 */
extern void bi_preview_row_fill(BiPreviewRow *row, BiPreviewJob *preview, const BiDraft *draft,
								const BiAsk *ask);

#endif							/* BI_PREVIEW_ROW_H */
