/*
 * engine/deliver.c: results files become outcomes and written rows.
 *
 * Lines are joined to records by id, never by order.  A group of lines is one
 * transaction: results, counts, tokens and target rows together (promise 2); what
 * fails as a group is tried one by one, so that one bad row stops nothing else.  The
 * provider reads the lines; store/ writes.
 */
#include "postgres.h"

#include "base/backoff.h"
#include "base/json.h"
#include "base/schema.h"
#include "common/pg_prng.h"
#include "engine/deliver.h"
#include "engine/render.h"
#include "nodes/bitmapset.h"
#include "store/writeback.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A group of lines: so many at most, and about so many bytes. */
#define GROUP_LINES 500
#define GROUP_BYTES (4 * 1024 * 1024)

/* A longer line is none: its record counts as missing. */
#define LINE_MAX_BYTES (64 * 1024 * 1024)

/* How long a write waits for a row lock: as a group, then alone. */
#define GROUP_LOCK_MS 1000
#define ROW_LOCK_MS 50

/* So many rows of one group found locked: the others are tried without waiting. */
#define LOCKED_ENOUGH 20
#define NO_WAIT_MS 1

struct BiDeliver
{
	MemoryContext group_cxt;	/* reset for each group */
	int			part;
	BiLines    *lines;			/* of that part, or NULL */
	Bitmapset  *seen;			/* seqs of this pass, less first_seq */
	int64		first_seq;
	int64		last_seq;
	BiJson	   *schema;
	int64		duplicates;
	int64		unknown;
	int64		malformed;
	bool		late;			/* cancelled by us for the deadline, not by the user */
};

/* One group on its way. */
typedef struct Group
{
	BiStep	   *step;
	BiResult   *results;
	int			n;
	bool		again;			/* a repeated write: the outcomes stand */
	const ErrorData *error;		/* the target cannot be written, or writing broke the transaction */
	BiWriteback *wb;
	BiResult  **rows;			/* those of one write */
	int			nrows;
	int			lock_ms;
} Group;

/* Reading lines */

static void
read_bounds(void *arg)
{
	BiStep	   *step = arg;

	bi_record_bounds(step->chunk, &step->deliver->first_seq, &step->deliver->last_seq);
}

/* True the first time that this pass meets it. */
static bool
first_time(BiDeliver *d, int64 seq)
{
	int			bit = (int) (seq - d->first_seq);

	if (bms_is_member(bit, d->seen))
	{
		d->duplicates++;
		return false;
	}
	d->seen = bms_add_member(d->seen, bit);
	return true;
}

static void
make_invalid(BiResult *result, const char *code, const char *error)
{
	result->outcome = BI_INVALID_OUTPUT;
	result->retryable = false;
	result->error_code = pstrdup(code);
	result->error = pstrdup(error);
}

/* A text cannot hold NUL: what came is kept with replacement characters. */
static void
replace_nuls(BiResult *result, const char *output, size_t len)
{
	StringInfoData text;

	initStringInfo(&text);
	for (size_t i = 0; i < len; i++)
		if (output[i] == '\0')
			appendStringInfoString(&text, "\xEF\xBF\xBD");
		else
			appendStringInfoChar(&text, output[i]);
	result->output = text.data;
	if (result->outcome == BI_SUCCEEDED)
		make_invalid(result, "nul_character", "the output holds the character \\u0000, which text cannot");
}

static void
check_schema(const BiDeliver *d, BiResult *result)
{
	BiJson	   *value;
	char	   *mismatch;

	if (d->schema == NULL || result->outcome != BI_SUCCEEDED)
		return;
	value = bi_json_parse(result->output, strlen(result->output));
	if (value == NULL)
	{
		make_invalid(result, "not_json", "the output is not JSON, which the response schema asks for");
		return;
	}
	mismatch = bi_schema_mismatch(d->schema, value);
	if (mismatch)
		make_invalid(result, "schema_mismatch", mismatch);
}

static void
fill_result(const BiStep *step, const BiAnswer *answer, BiResult *result)
{
	result->outcome = answer->outcome;
	result->retryable = answer->retryable;
	result->output = answer->output;
	result->output_json = answer->output_is_json;
	result->finish_reason = answer->finish_reason;
	result->model = answer->model;
	result->input_tokens = answer->input_tokens;
	result->cached_tokens = answer->cached_tokens;
	result->output_tokens = answer->output_tokens;
	result->error_code = answer->error_code;
	result->error = answer->error;
	result->request_id = answer->request_id;
	if (step->deliver->late && result->outcome == BI_CANCELLED_RECORD)
		result->outcome = BI_EXPIRED;
	if (answer->output && strlen(answer->output) < answer->output_len)
		replace_nuls(result, answer->output, answer->output_len);
	check_schema(step->deliver, result);
}

/* False: the line joins no record. */
static bool
read_result(BiStep *step, const char *line, size_t len, BiResult *result)
{
	BiDeliver  *d = step->deliver;
	BiAnswer	answer = {0};

	if (line == NULL)
	{
		d->malformed++;
		return false;
	}
	step->provider->read_line(&step->call, line, len, &answer);
	if (answer.custom_id == NULL)
	{
		d->malformed++;
		return false;
	}
	result->seq = bi_render_parse_id(step->chunk, answer.custom_id);
	if (result->seq < d->first_seq || result->seq > d->last_seq || result->seq == 0)
	{
		d->unknown++;
		return false;
	}
	if (!first_time(d, result->seq))
		return false;
	fill_result(step, &answer, result);
	return true;
}

/* The next line of any part, false after the last. */
static bool
next_line(BiStep *step, const char **line, size_t *len)
{
	BiDeliver  *d = step->deliver;

	while (d->part < list_length(step->spools))
	{
		if (d->lines == NULL)
			d->lines = bi_lines_open(list_nth(step->spools, d->part), LINE_MAX_BYTES);
		if (bi_lines_next(d->lines, line, len))
			return true;
		d->lines = NULL;
		d->part++;
	}
	return false;
}

static int
read_group(BiStep *step, BiResult *results)
{
	const char *line;
	size_t		len;
	size_t		bytes = 0;
	int			n = 0;

	while (n < GROUP_LINES && bytes < GROUP_BYTES)
	{
		MemoryContext old = MemoryContextSwitchTo(step->cxt);
		bool		more = next_line(step, &line, &len);

		MemoryContextSwitchTo(old);
		if (!more)
			break;
		if (line != NULL && len == 0)
			continue;
		memset(&results[n], 0, sizeof(BiResult));
		bytes += len;
		if (read_result(step, line, len, &results[n]))
			n++;
	}
	return n;
}

/* Writing rows */

static void
write_rows(void *arg)
{
	Group	   *group = arg;

	bi_writeback_update(group->wb, group->rows, group->nrows, group->lock_ms);
}

static bool
is_for_now(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

static void
note_write(BiResult *row, const ErrorData *error)
{
	row->write_state = is_for_now(error) ? BI_WRITE_WAITING : BI_WRITE_FAILED;
	row->write_error = error->detail ? psprintf("%s (%s)", error->message, error->detail) : pstrdup(error->message);
}

/* Row by row: each on its own. */
static void
write_each(Group *group)
{
	BiResult  **rows = group->rows;
	int			n = group->nrows;
	int			locked = 0;

	group->nrows = 1;
	for (int i = 0; i < n; i++)
	{
		ErrorData  *error;

		group->rows = &rows[i];
		group->lock_ms = locked < LOCKED_ENOUGH ? ROW_LOCK_MS : NO_WAIT_MS;
		error = bi_xact_try(write_rows, group);
		if (error == NULL)
			continue;
		note_write(rows[i], error);
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			locked++;
	}
}

static void
write_group(Group *group)
{
	group->lock_ms = GROUP_LOCK_MS;
	if (group->nrows > 0 && bi_xact_try(write_rows, group) != NULL)
		write_each(group);
}

static void
open_writeback(void *arg)
{
	Group	   *group = arg;
	MemoryContext old = MemoryContextSwitchTo(group->step->deliver->group_cxt);

	group->wb = bi_writeback_open(group->step->job);
	MemoryContextSwitchTo(old);
}

/* Opens the target, or notes why it cannot be had. */
static void
open_target(Group *group)
{
	if (OidIsValid(group->step->job->target) && group->error == NULL)
		group->error = bi_xact_try(open_writeback, group);
}

static bool
wants_write(const BiResult *result)
{
	return result->known && !result->delivered && result->outcome == BI_SUCCEEDED;
}

static void
refuse_outputs(Group *group)
{
	for (int i = 0; i < group->n; i++)
	{
		BiResult   *result = &group->results[i];
		const char *why;

		if (!wants_write(result))
			continue;
		why = bi_writeback_refuse(group->wb, result->output, result->output_json);
		if (why)
			make_invalid(result, "not_json", why);
	}
}

static void
write_back(Group *group)
{
	if (!OidIsValid(group->step->job->target))
		return;
	group->rows = palloc(sizeof(BiResult *) * group->n);
	group->nrows = 0;
	if (group->error == NULL && !group->again)
		refuse_outputs(group);
	for (int i = 0; i < group->n; i++)
		if (wants_write(&group->results[i]))
			group->rows[group->nrows++] = &group->results[i];
	if (group->error == NULL)
		write_group(group);
	else
		for (int i = 0; i < group->nrows; i++)
			note_write(group->rows[i], group->error);
}

/* Delivering a group */

static void
deliver_phase(void *arg)
{
	Group	   *group = arg;
	BiStep	   *step = group->step;
	MemoryContext old = MemoryContextSwitchTo(step->deliver->group_cxt);

	bi_result_lookup(CurrentMemoryContext, step->chunk, group->results, group->n);
	for (int i = 0; i < group->n; i++)
		if (!group->results[i].known)
			step->deliver->unknown++;
	open_target(group);
	write_back(group);
	bi_result_insert(step->chunk, group->results, group->n);
	MemoryContextSwitchTo(old);
}

static ErrorData *
deliver_one(BiStep *step, BiResult *result, const ErrorData *no_write)
{
	Group		group = {.step = step, .results = result, .n = 1, .error = no_write};

	return bi_xact_run(step->mode, deliver_phase, &group);
}

/* Something in the group broke its transaction: each record on its own, and if that
 * breaks too, what can be kept of it. */
static void
deliver_each(BiStep *step, BiResult *results, int n)
{
	for (int i = 0; i < n; i++)
	{
		BiResult	kept = results[i];
		ErrorData  *error = deliver_one(step, &results[i], NULL);

		if (error == NULL)
			continue;
		results[i] = kept;
		error = deliver_one(step, &results[i], error);
		if (error == NULL)
			continue;
		if (is_for_now(error))
			ReThrowError(error);
		results[i] = kept;
		make_invalid(&results[i], "not_storable", error->message);
		results[i].output = NULL;
		error = deliver_one(step, &results[i], error);
		if (error)
			ReThrowError(error);
	}
}

static void settle(BiStep *step);

static void
deliver_group(BiStep *step)
{
	BiDeliver  *d = step->deliver;
	MemoryContext old = MemoryContextSwitchTo(d->group_cxt);
	BiResult   *results = palloc(sizeof(BiResult) * GROUP_LINES);
	BiResult   *kept = palloc(sizeof(BiResult) * GROUP_LINES);
	Group		group = {.step = step, .results = results};
	int64		unknown;

	group.n = read_group(step, results);
	unknown = d->unknown;
	memcpy(kept, results, sizeof(BiResult) * group.n);
	if (group.n > 0 && bi_xact_run(step->mode, deliver_phase, &group) != NULL)
	{
		d->unknown = unknown;
		deliver_each(step, kept, group.n);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(d->group_cxt);
	step->work = d->part < list_length(step->spools) ? deliver_group : settle;
}

/* The end of an attempt */

static BiOutcome
rest_outcome(const BiStep *step, const char **code, const char **error)
{
	const char *end = step->chunk->batch_end;

	if (end && strcmp(end, "cancelled") == 0)
	{
		*code = "batch_cancelled";
		*error = "the batch was cancelled before this request was done";
		return step->deliver->late ? BI_EXPIRED : BI_CANCELLED_RECORD;
	}
	if (end && strcmp(end, "expired") == 0)
	{
		*code = "batch_expired";
		*error = "the batch expired before this request was done";
		return BI_EXPIRED;
	}
	*code = "missing";
	*error = "the provider's results do not mention it";
	return BI_MISSING;
}

static void
settle_also(BiStep *step)
{
	const char *code;
	const char *error;
	BiOutcome	rest = rest_outcome(step, &code, &error);
	BiJob	   *job = bi_job_load(CurrentMemoryContext, step->chunk->job_id);
	bool		late = job->deadline <= GetCurrentTimestamp();
	bool		stopped = job->cancelled || late;
	bool		cut = rest == BI_CANCELLED_RECORD || step->deliver->late;

	(void) bi_result_rest(step->chunk, rest, !cut, code, error);
	(void) bi_result_settle(step->chunk, !stopped);
	bi_chunk_note_lines(step->chunk, step->deliver->duplicates, step->deliver->unknown, step->deliver->malformed);
	bi_job_finish_due();
}

static void
settle(BiStep *step)
{
	BiDeliver  *d = step->deliver;
	BiRecordOf *r = bi_step_begin_record(step);

	step->chunk->state = BI_CLEANING;
	r->event = "delivered";
	if (d->duplicates || d->unknown || d->malformed)
		r->detail = psprintf(INT64_FORMAT " duplicate, " INT64_FORMAT " unknown and " INT64_FORMAT " malformed lines",
							 d->duplicates, d->unknown, d->malformed);
	r->also = settle_also;
	bi_step_record(step, NULL);
}

static BiDeliver *
new_deliver(BiStep *step)
{
	BiDeliver  *d = palloc0(sizeof(BiDeliver));
	const char *schema = step->job->spec.response_schema;

	d->group_cxt = AllocSetContextCreate(step->cxt, "batchinf group", ALLOCSET_DEFAULT_SIZES);
	d->schema = schema ? bi_json_parse(schema, strlen(schema)) : NULL;
	d->late = !step->job->cancelled && step->job->deadline <= GetCurrentTimestamp();
	return d;
}

void
bi_deliver_start(BiStep *step)
{
	ErrorData  *error;

	step->deliver = new_deliver(step);
	error = bi_xact_run(step->mode, read_bounds, step);
	if (error)
		ReThrowError(error);
	/* As large as it will be, with a bit that stands for none: it outlives the groups. */
	step->deliver->seen = bms_make_singleton((int) (step->deliver->last_seq - step->deliver->first_seq) + 1);
	step->work = deliver_group;
}

/* Waiting writes */

/* While some are written it goes on at once; else later and later. */
static int64
rewrite_delay(const Group *group)
{
	for (int i = 0; i < group->n; i++)
		if (strcmp(group->results[i].write_state, BI_WRITE_WAITING) != 0)
			return 0;
	return bi_backoff_ms(1000, 2, 60000, group->step->chunk->write_tries, pg_prng_double(&pg_global_prng_state));
}

static void
rewrite_phase(void *arg)
{
	Group	   *group = arg;
	BiStep	   *step = group->step;
	MemoryContext old = MemoryContextSwitchTo(step->deliver->group_cxt);

	group->n = bi_result_waiting(CurrentMemoryContext, step->chunk, group->results, group->n);
	open_target(group);
	write_back(group);
	bi_result_rewritten(step->chunk, group->results, group->n, rewrite_delay(group));
	bi_job_finish_due();
	MemoryContextSwitchTo(old);
}

/* As many as n. */
static ErrorData *
rewrite(BiStep *step, BiResult *results, int n, const ErrorData *no_write)
{
	Group		group = {.step = step, .results = results, .n = n, .again = true, .error = no_write};

	return bi_xact_run(step->mode, rewrite_phase, &group);
}

void
bi_deliver_rewrite(BiStep *step)
{
	BiResult   *results;
	ErrorData  *error;

	if (step->deliver == NULL)
		step->deliver = new_deliver(step);
	MemoryContextReset(step->deliver->group_cxt);
	results = MemoryContextAlloc(step->deliver->group_cxt, sizeof(BiResult) * GROUP_LINES);
	error = rewrite(step, results, GROUP_LINES, NULL);
	/* What broke the transaction is met again alone: the order is the same. */
	if (error && rewrite(step, results, 1, NULL) == NULL)
		return;
	if (error && !is_for_now(error))
		error = rewrite(step, results, 1, error);
	if (error == NULL)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("could not repeat the writes of chunk " INT64_FORMAT " of batch job " INT64_FORMAT ": %s",
					step->chunk->id, step->chunk->job_id, error->message)));
	step->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 1000);
	step->work = bi_deliver_rewrite;
}
