/*
 * store/batch.c: a try of a chunk, as a value.  No SQL: batchrow.c has that.
 *
 * A chunk is sent as one batch of its provider.  Not every try succeeds: the provider refuses a
 * batch for quota, or a create call has no effect.  Here is what begins and ends a try.
 */
#include "postgres.h"

#include "store/batch.h"
#include "utils/timestamp.h"

static const char *const end_names[] = {
	[BI_BATCH_END_NONE] = NULL,
	[BI_BATCH_END_COMPLETED] = "completed",
	[BI_BATCH_END_FAILED] = "failed",
	[BI_BATCH_END_EXPIRED] = "expired",
	[BI_BATCH_END_CANCELLED] = "cancelled",
};

BiBatch *
bi_batch_new(void)
{
	BiBatch    *batch = palloc0(sizeof(BiBatch));

	TIMESTAMP_NOEND(batch->claimed_at);
	TIMESTAMP_NOEND(batch->submitted_at);
	return batch;
}

static char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

static List *
copy_ids(const List *ids)
{
	List	   *copy = NIL;
	ListCell   *cell;

	foreach(cell, ids)
		copy = lappend(copy, pstrdup(lfirst(cell)));
	return copy;
}

BiBatch *
bi_batch_copy(const BiBatch *batch)
{
	BiBatch    *copy = palloc(sizeof(BiBatch));

	*copy = *batch;
	copy->id = copy_text(batch->id);
	copy->account = copy_text(batch->account);
	copy->refs = bi_ref_copy(batch->refs);
	copy->buried = copy_ids(batch->buried);
	copy->twins = copy_ids(batch->twins);
	return copy;
}

/* Records that number n is in use: it has a row once the chunk is saved. */
static void
take_number(BiBatch *batch, int n)
{
	batch->newest = Max(batch->newest, n);
}

void
bi_batch_begin(BiBatch *batch)
{
	if (batch->try > 0)
		return;
	batch->try = 1;
	take_number(batch, 1);
}

static void
begin_next(BiBatch *batch)
{
	batch->try = batch->newest + 1;
	take_number(batch, batch->try);
	batch->id = NULL;
	batch->end = BI_BATCH_END_NONE;
	batch->account = NULL;
	TIMESTAMP_NOEND(batch->claimed_at);
	TIMESTAMP_NOEND(batch->submitted_at);
}

void
bi_batch_begin_call(BiBatch *batch, const char *account, TimestampTz now)
{
	bi_batch_begin(batch);
	if (!TIMESTAMP_IS_NOEND(batch->claimed_at))
		begin_next(batch);
	batch->account = copy_text(account);
	batch->claimed_at = now;
}

void
bi_batch_finish(BiBatch *batch, BiBatchEnd end)
{
	bi_batch_begin(batch);
	batch->end = end;
}

void
bi_batch_bury(BiBatch *batch)
{
	batch->buried = lappend(batch->buried, batch->id);
	begin_next(batch);
}

void
bi_batch_bury_twin(BiBatch *batch, const char *id)
{
	char	   *copy = pstrdup(id);

	batch->buried = lappend(batch->buried, copy);
	batch->twins = lappend(batch->twins, copy);
	take_number(batch, batch->newest + 1);
}

char *
bi_batch_known(const BiBatch *batch, int i)
{
	if (batch->id && i-- == 0)
		return batch->id;
	return i >= 0 && i < list_length(batch->buried) ? list_nth(batch->buried, i) : NULL;
}

bool
bi_batch_is_buried(const BiBatch *batch, const char *id)
{
	ListCell   *cell;

	foreach(cell, batch->buried)
		if (strcmp(lfirst(cell), id) == 0)
			return true;
	return false;
}

const char *
bi_batch_end_name(BiBatchEnd end)
{
	return end_names[end];
}

BiBatchEnd
bi_batch_end_parse(const char *name)
{
	for (int i = BI_BATCH_END_COMPLETED; name && i < lengthof(end_names); i++)
		if (strcmp(end_names[i], name) == 0)
			return (BiBatchEnd) i;
	return BI_BATCH_END_NONE;
}
