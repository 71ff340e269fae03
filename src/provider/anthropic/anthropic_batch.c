/*
 * provider/anthropic/anthropic_batch.c: message batches and lists of them.
 *
 * Knows what a batch looks like, where any member may be null, missing or of a wrong type, and
 * which batches may be the one of a create call whose reply was lost.  No requests.
 *
 * Decided here:
 * - A lost call's batch was made between the claim and the end of the upload: the window begins
 *   five minutes before the claim (clocks differ) and ends six hours after it (uploads may be
 *   slow).
 * - The list goes from the newest to the oldest, so it is over where a page passes the window; a
 *   page out of order does not end it.
 * - A member that a batch lacks (time, counts) speaks neither for nor against it.
 * - A batch that ended is cancelled if somebody cancelled it and one request is canceled, expired
 *   if all requests are, and completed otherwise.  Requests that its results do not mention end
 *   the same way; they are sent again unless the batch was cancelled.
 * - After 29 days results are archived ("Batch processing"): such a batch has failed.
 */
#include "postgres.h"

#include "provider/anthropic/anthropic_batch.h"
#include "provider/anthropic/anthropic_reply.h"
#include "provider/report.h"
#include "provider/wire.h"
#include "utils/datetime.h"

#define WINDOW_BEFORE (5 * USECS_PER_MINUTE)
#define WINDOW_AFTER (6 * USECS_PER_HOUR)

/* Returns the number of n digits at *text, which moves on; -1 if they are not digits. */
static int
read_digits(const char **text, int n)
{
	int			number = 0;

	for (; n > 0; n--, (*text)++)
	{
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

static bool
skip(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Reads ".123456", as microseconds; more digits are left out. */
static int64
read_fraction(const char **text)
{
	int64		fraction = 0;
	int64		unit = USECS_PER_SEC / 10;

	if (!skip(text, '.'))
		return 0;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		fraction += unit * (**text - '0');
	return fraction;
}

/* Reads "Z" or "+01:30" to the end, as microseconds; false if it is neither. */
static bool
read_zone(const char *text, int64 *offset)
{
	int64		sign = *text == '-' ? -1 : 1;
	int			hours;
	int			minutes;

	*offset = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if (!skip(&text, '+') && !skip(&text, '-'))
		return false;
	hours = read_digits(&text, 2);
	if (hours < 0 || !skip(&text, ':'))
		return false;
	minutes = read_digits(&text, 2);
	*offset = sign * (hours * USECS_PER_HOUR + minutes * USECS_PER_MINUTE);
	return minutes >= 0 && *text == '\0';
}

/* Reads a time of RFC 3339; false if text is not one. */
static bool
read_time(const char *text, TimestampTz *result)
{
	int			part[6];
	int64		fraction;
	int64		offset;

	for (int i = 0; i < 6; i++)
	{
		part[i] = read_digits(&text, i == 0 ? 4 : 2);
		if (part[i] < 0 || (i < 5 && !skip(&text, "--T::"[i])))
			return false;
	}
	fraction = read_fraction(&text);
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || !read_zone(text, &offset))
		return false;
	*result = (int64) (date2j(part[0], part[1], part[2]) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		part[3] * USECS_PER_HOUR + part[4] * USECS_PER_MINUTE + part[5] * USECS_PER_SEC +
		fraction - offset;
	return true;
}

static bool
read_created_at(const BiJson *batch, TimestampTz *time)
{
	char	   *text = bi_json_cstring(bi_json_at(batch, "created_at", NULL));

	return text && read_time(text, time);
}

static int64
count_of(const BiJson *batch, const char *name)
{
	return bi_wire_count(bi_json_at(batch, "request_counts", name, NULL));
}

/* Returns the number of all requests; -1 if the batch does not have it. */
static int64
total_of(const BiJson *batch)
{
	static const char *const names[] = {
		"processing", "succeeded", "errored", "canceled", "expired"
	};
	int64		total = 0;

	for (int i = 0; i < lengthof(names); i++)
	{
		int64		count = count_of(batch, names[i]);

		if (count < 0)
			return -1;
		total += count;
	}
	return total;
}

/* Returns how a batch ended: only its counts show it, and whether somebody cancelled it. */
static BiBatchState
end_state(const BiJson *batch)
{
	if (bi_json_at(batch, "cancel_initiated_at", NULL) && count_of(batch, "canceled") != 0)
		return BI_BATCH_CANCELLED;
	if (total_of(batch) > 0 && count_of(batch, "expired") == total_of(batch))
		return BI_BATCH_EXPIRED;
	return BI_BATCH_COMPLETED;
}

static BiFault *
archived_fault(void)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup("results_archived");
	fault->message = pstrdup("the provider no longer has the results of this batch");
	return fault;
}

static BiBatchState
parse_status(const char *status, const BiJson *batch)
{
	if (strcmp(status, "ended") == 0)
		return end_state(batch);
	if (strcmp(status, "in_progress") == 0 || strcmp(status, "canceling") == 0)
		return BI_BATCH_RUNNING;
	return BI_BATCH_WAITING;
}

bool
bi_anthropic_batch_read(const BiJson *json, BiBatchReport *batch)
{
	char	   *status = bi_json_cstring(bi_json_at(json, "processing_status", NULL));

	memset(batch, 0, sizeof(BiBatchReport));
	if (status == NULL || !bi_anthropic_reply_is_a(json, "message_batch"))
		return false;
	batch->state = parse_status(status, json);
	batch->id = bi_wire_id(bi_json_at(json, "id", NULL));
	batch->completed = count_of(json, "succeeded");
	batch->failed = count_of(json, "errored");
	if (strcmp(status, "ended") == 0 && bi_json_at(json, "archived_at", NULL))
	{
		batch->state = BI_BATCH_FAILED;
		batch->faults = list_make1(archived_fault());
	}
	return true;
}

/* True unless the batch shows that it is not the one of the chunk's create call. */
static bool
may_be_ours(const BiChunk *chunk, const BiJson *batch, const char *id)
{
	int64		total = total_of(batch);
	TimestampTz created;

	if ((total >= 0 && total != chunk->records) || bi_batch_is_buried(chunk->batch, id))
		return false;
	if (TIMESTAMP_NOT_FINITE(chunk->batch->claimed_at) || !read_created_at(batch, &created))
		return true;
	return created >= chunk->batch->claimed_at - WINDOW_BEFORE &&
		created <= chunk->batch->claimed_at + WINDOW_AFTER;
}

/* True if this page goes from the newest to the oldest, and ends before the window. */
static bool
is_past(const BiChunk *chunk, const BiJson *data)
{
	TimestampTz last = DT_NOEND;
	TimestampTz created;

	for (int i = 0; i < bi_json_length(data); i++)
	{
		if (!read_created_at(bi_json_item(data, i), &created) || created > last)
			return false;
		last = created;
	}
	return !TIMESTAMP_NOT_FINITE(chunk->batch->claimed_at) &&
		last < chunk->batch->claimed_at - WINDOW_BEFORE;
}

static void
add_candidate(BiFound *found, const BiJson *batch, char *id)
{
	const char *status = bi_json_string(bi_json_at(batch, "processing_status", NULL), NULL);

	if (status && strcmp(status, "ended") == 0)
		found->candidates = lappend(found->candidates, id);
	else
		found->pending = lappend(found->pending, id);
}

static char *
id_of(const BiJson *batch)
{
	return bi_wire_id(bi_json_at(batch, "id", NULL));
}

bool
bi_anthropic_batch_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *data = bi_json_at(json, "data", NULL);
	const BiJson *more = bi_json_at(json, "has_more", NULL);
	List	   *ids;

	memset(found, 0, sizeof(BiFound));
	if (!bi_report_read_ids(data, id_of, &ids))
		return false;
	for (int i = 0; i < list_length(ids); i++)
		if (may_be_ours(call->chunk, bi_json_item(data, i), list_nth(ids, i)))
			add_candidate(found, bi_json_item(data, i), list_nth(ids, i));
	found->complete = bi_json_type(more) == BI_JSON_BOOL ? !bi_json_bool(more, true) : ids == NIL;
	if (ids && is_past(call->chunk, data))
		found->complete = true;
	found->cursor = found->complete || ids == NIL ? NULL : llast(ids);
	return true;
}
