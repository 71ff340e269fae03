/*
 * provider/anthropic_batch.c: message batches and lists of them.
 *
 * Knows what a batch looks like, where any member may be null, missing or of a wrong
 * type, and which batches may be the one of a create call whose answer was lost.  Knows
 * no HTTP.  Called by anthropic.c.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/openai.h"
#include "provider/wire.h"
#include "utils/datetime.h"

/* A lost call's batch is made between its claim, give or take the clocks, and the end of
 * its upload, however slow that is. */
#define WINDOW_BEFORE (5 * USECS_PER_MINUTE)
#define WINDOW_AFTER (6 * USECS_PER_HOUR)

/* No batch has so many requests. */
#define COUNT_MAX 1000000000

/* The number of n digits at *text, which moves on; -1 where they are none. */
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

/* ".123456", as microseconds; more digits are left out. */
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

/* "Z" or "+01:30" to the end, as microseconds; false where it is neither. */
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

/* An RFC 3339 time. */
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
		part[3] * USECS_PER_HOUR + part[4] * USECS_PER_MINUTE + part[5] * USECS_PER_SEC + fraction - offset;
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
	int64		count = bi_json_int(bi_json_at(batch, "request_counts", name, NULL), -1);

	return count >= 0 && count <= COUNT_MAX ? count : -1;
}

/* Of all requests, -1 where it is not told. */
static int64
total_of(const BiJson *batch)
{
	static const char *const names[] = {"processing", "succeeded", "errored", "canceled", "expired"};
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

/*
 * How a batch ended: only its counts tell, and whether somebody cancelled it.  It is also
 * what a request ends as that the results do not mention.
 */
static BiBatchState
end_state(const BiJson *batch)
{
	if (bi_json_at(batch, "cancel_initiated_at", NULL) && count_of(batch, "canceled") != 0)
		return BI_BATCH_CANCELLED;
	return total_of(batch) > 0 && count_of(batch, "expired") == total_of(batch) ? BI_BATCH_EXPIRED : BI_BATCH_COMPLETED;
}

/* After 29 days the results are gone for good. */
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
bi_anthropic_batch_read(const BiJson *json, BiBatch *batch)
{
	char	   *status = bi_json_cstring(bi_json_at(json, "processing_status", NULL));

	memset(batch, 0, sizeof(BiBatch));
	if (status == NULL || !bi_anthropic_reply_is_a(json, "message_batch"))
		return false;
	batch->state = parse_status(status, json);
	batch->id = bi_openai_reply_id(bi_json_at(json, "id", NULL));
	batch->completed = count_of(json, "succeeded");
	batch->failed = count_of(json, "errored");
	if (strcmp(status, "ended") == 0 && bi_json_at(json, "archived_at", NULL))
	{
		batch->state = BI_BATCH_FAILED;
		batch->faults = list_make1(archived_fault());
	}
	return true;
}

/* One that earlier tries of this chunk made and that came to nothing. */
static bool
is_dead(const BiChunk *chunk, const char *id)
{
	const char *dead = bi_ref_get(chunk->refs, BI_OPENAI_DEAD);

	return dead && strstr(psprintf(" %s ", dead), psprintf(" %s ", id));
}

/* What a batch does not tell speaks neither for nor against it. */
static bool
may_be_ours(const BiChunk *chunk, const BiJson *batch, const char *id)
{
	int64		total = total_of(batch);
	TimestampTz created;

	if ((total >= 0 && total != chunk->records) || is_dead(chunk, id))
		return false;
	if (TIMESTAMP_NOT_FINITE(chunk->claimed_at) || !read_created_at(batch, &created))
		return true;
	return created >= chunk->claimed_at - WINDOW_BEFORE && created <= chunk->claimed_at + WINDOW_AFTER;
}

/* Lists go from the newest to the oldest: does this one, and past the lost call? */
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
	return !TIMESTAMP_NOT_FINITE(chunk->claimed_at) && last < chunk->claimed_at - WINDOW_BEFORE;
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

bool
bi_anthropic_batch_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *data = bi_json_at(json, "data", NULL);
	const BiJson *more = bi_json_at(json, "has_more", NULL);
	int			length = bi_json_length(data);
	char	   *last = NULL;

	memset(found, 0, sizeof(BiFound));
	if (bi_json_type(data) != BI_JSON_ARRAY)
		return false;
	for (int i = 0; i < length; i++)
	{
		const BiJson *batch = bi_json_item(data, i);

		last = bi_openai_reply_id(bi_json_at(batch, "id", NULL));
		if (last == NULL)
			return false;		/* it might be ours: no "there is none" after this */
		if (may_be_ours(call->chunk, batch, last))
			add_candidate(found, batch, last);
	}
	found->complete = bi_json_type(more) == BI_JSON_BOOL ? !bi_json_bool(more, true) : length == 0;
	if (length > 0 && is_past(call->chunk, data))
		found->complete = true;
	found->cursor = found->complete ? NULL : last;
	return true;
}
