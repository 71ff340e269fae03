/*
 * engine/answer.c: reads lines of results files as results of records.
 *
 * The provider says what a line means; here it is joined to its record by id, or by what it
 * answers (join.c), never by order, and checked against the response schema.  No SQL but for the bounds.  Called
 * by deliver.c.
 */
#include "postgres.h"

#include "base/heft.h"
#include "base/loose.h"
#include "base/schema.h"
#include "base/utf8.h"
#include "engine/answer.h"
#include "engine/budget.h"
#include "engine/join.h"
#include "engine/render.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How long a step reads and prepares answers before others have their turn. */
#define SLICE_MS 100

/* A longer line cannot be read; its beginning may tell whose it is. */
#define LINE_MAX_BYTES (64 * 1024 * 1024)

/* More tokens than any request has, of one kind. */
#define TOKENS_MAX 1000000000

BiDeliver *
bi_answer_new(BiStep *step)
{
	BiDeliver  *d = palloc0(sizeof(BiDeliver));
	const char *schema = step->job->spec.response_schema;

	d->group_cxt = AllocSetContextCreate(step->cxt, "batchinf group", ALLOCSET_DEFAULT_SIZES);
	d->line_cxt = AllocSetContextCreate(step->cxt, "batchinf line", ALLOCSET_DEFAULT_SIZES);
	d->schema = schema ? bi_schema_read(schema, &d->schema_refused) : NULL;
	d->late = !step->job->cancelled && step->job->deadline <= GetCurrentTimestamp();
	return d;
}

void
bi_answer_bounds(BiStep *step)
{
	BiDeliver  *d = step->deliver;

	bi_record_bounds(step->chunk, &d->first_seq, &d->last_seq);
	/* As large as it will be, with a bit that stands for none: it outlives the groups. */
	d->seen = bms_make_singleton((int) (d->last_seq - d->first_seq) + 1);
}

void
bi_answer_invalid(BiResult *result, const char *code, const char *error)
{
	result->outcome = BI_INVALID_OUTPUT;
	result->retryable = false;
	result->error_code = pstrdup(code);
	result->error = pstrdup(error);
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

/* A text cannot hold NUL: what came is kept with replacement characters.  text itself where
 * there is nothing to replace. */
static char *
replace_nuls(char *text, size_t len)
{
	StringInfoData replaced;

	if (text == NULL || strlen(text) >= len)
		return text;
	initStringInfo(&replaced);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			appendStringInfoString(&replaced, BI_UTF8_REPLACEMENT);
		else
			appendStringInfoChar(&replaced, text[i]);
	return replaced.data;
}

/* One output against the schema. */
typedef struct Check
{
	const BiSchema *schema;
	BiResult   *result;
} Check;

static void
check_value(void *arg)
{
	Check	   *check = arg;
	BiResult   *result = check->result;
	const char *json = bi_loose_json(result->output);
	size_t		len = strlen(json);
	BiJson	   *value = bi_json_parse(json, len);
	bool		too_costly;
	char	   *mismatch;

	if (value == NULL && bi_heft_exceeds(json, len, BI_HEFT_MAX))
		bi_answer_invalid(result, "too_costly", psprintf("the output as JSON takes more than %zu MB of memory", BI_HEFT_MAX / 1024 / 1024));
	else if (value == NULL)
		bi_answer_invalid(result, "not_json", "the output is not JSON, which the response schema asks for");
	if (value == NULL)
		return;
	mismatch = bi_schema_mismatch(check->schema, value, &too_costly);
	if (mismatch)
		bi_answer_invalid(result, too_costly ? "too_costly" : "schema_mismatch", mismatch);
}

static void
check_schema(const BiDeliver *d, BiResult *result)
{
	Check		check = {d->schema, result};
	char	   *exceeded;

	if (result->outcome != BI_SUCCEEDED)
		return;
	if (d->schema_refused)
		bi_answer_invalid(result, "too_costly",
						  psprintf("the output cannot be checked against the response schema: %s", d->schema_refused));
	if (d->schema == NULL)
		return;
	exceeded = bi_budget_run(BI_BUDGET_SCHEMA_MS, check_value, &check);
	if (exceeded)
		bi_answer_invalid(result, "too_costly", psprintf("checking the output against the response schema takes %s", exceeded));
}

/* A count that no request can have is unknown: sums of counts must stay within a bigint. */
static int64
plausible(int64 tokens)
{
	return tokens > TOKENS_MAX ? -1 : tokens;
}

/* Did bytes get lost that the answer needs?  A success whose output is whole needs none of them. */
static bool
is_damaged(const BiAnswer *answer)
{
	if (answer->line == BI_LINE_REPAIRED && answer->outcome == BI_SUCCEEDED)
		return strstr(answer->output, BI_UTF8_REPLACEMENT) != NULL;
	return answer->line != BI_LINE_WHOLE;
}

/* What is left of a damaged line is kept, for people to read; nothing of a secret is. */
static void
mark_damage(const BiStep *step, const BiAnswer *answer, const char *line, size_t len,
			BiResult *result)
{
	size_t		size;

	if (answer->line == BI_LINE_UNREADABLE)
		result->output = bi_utf8_repair(bi_blot_text(step->blot, line, len), len, BI_ANSWER_RAW_MAX, &size);
	else if (is_damaged(answer) && result->outcome == BI_SUCCEEDED)
		bi_answer_invalid(result, "invalid_utf8", "the output holds bytes that are no UTF-8");
}

static void
fill_result(const BiStep *step, const BiAnswer *answer, const char *line, size_t len,
			BiResult *result)
{
	result->outcome = answer->outcome;
	result->retryable = answer->retryable;
	result->output = replace_nuls(answer->output, answer->output_len);
	result->reasoning = replace_nuls(answer->reasoning, answer->reasoning_len);
	result->output_json = answer->output_is_json;
	result->finish_reason = answer->finish_reason;
	result->model = answer->model;
	result->input_tokens = plausible(answer->input_tokens);
	result->cached_tokens = plausible(answer->cached_tokens);
	result->output_tokens = plausible(answer->output_tokens);
	result->error_code = answer->error_code;
	result->error = answer->error;
	result->request_id = answer->request_id;
	if (step->deliver->late && result->outcome == BI_CANCELLED_RECORD)
		result->outcome = BI_EXPIRED;
	if (result->output != answer->output && result->outcome == BI_SUCCEEDED)
		bi_answer_invalid(result, "nul_character", "the output holds the character \\u0000, which text cannot");
	mark_damage(step, answer, line, len, result);
	check_schema(step->deliver, result);
}

static void
count_channel(BiDeliver *d, const char *name)
{
	for (int i = 0; name && i < BI_CHANNELS; i++)
	{
		BiChannel  *channel = &d->channels[i];

		if (channel->name && strcmp(channel->name, name) != 0)
			continue;
		channel->name = name;
		channel->answers++;
		return;
	}
}

/* The seq of a request like this that has no answer yet; 0, and counted, where there is none. */
static int64
find_like(BiDeliver *d, const char *fingerprint)
{
	bool		known;
	int64		seq;

	do
		seq = bi_join_take(d->join, fingerprint, &known);
	while (seq != 0 && bms_is_member((int) (seq - d->first_seq), d->seen));
	if (seq == 0 && known)
		d->duplicates++;
	else if (seq == 0)
		d->unknown++;
	return seq;
}

/* The seq that the answer is joined to; 0, and counted, where there is none. */
static int64
find_record(BiStep *step, const BiAnswer *answer)
{
	BiDeliver  *d = step->deliver;
	int64		seq;

	if (answer->custom_id == NULL)
		return find_like(d, answer->fingerprint);
	seq = bi_render_parse_id(step->chunk, answer->custom_id);
	if (seq >= d->first_seq && seq <= d->last_seq && seq != 0)
		return seq;
	d->unknown++;
	return 0;
}

static char *
without_secrets(const BiStep *step, char *text, size_t len)
{
	return text ? unconstify(char *, bi_blot_text(step->blot, text, len)) : NULL;
}

/* What stands in the line in escapes of escapes shows once the line's own are undone. */
static void
blot_texts(const BiStep *step, BiAnswer *answer)
{
	char	  **texts[] = {&answer->finish_reason, &answer->model, &answer->error_code, &answer->error, &answer->request_id};

	if (answer->output)
		answer->output = without_secrets(step, answer->output, Max(answer->output_len, strlen(answer->output)));
	answer->reasoning = without_secrets(step, answer->reasoning, answer->reasoning_len);
	for (int i = 0; i < lengthof(texts); i++)
		*texts[i] = without_secrets(step, *texts[i], *texts[i] ? strlen(*texts[i]) : 0);
}

/*
 * Reads a line; of what it quotes of a secret nothing is kept.  Blotted before it is read,
 * since readers cut long words: half a secret would not be found any more.  Its record is
 * found by the line as it came, since an echo of the request must be the request.
 */
static void
read_answer(const BiStep *step, const char *line, size_t len, BiAnswer *answer)
{
	const char *clean = bi_blot_text(step->blot, line, len);

	step->provider->read_line(&step->call, line, len, answer);
	if (clean != line)
	{
		BiAnswer	blotted = {0};

		step->provider->read_line(&step->call, clean, len, &blotted);
		/* A secret that looks like JSON may have been a part of the line itself. */
		if (blotted.custom_id || blotted.fingerprint)
		{
			blotted.custom_id = answer->custom_id;
			blotted.fingerprint = answer->fingerprint;
			blotted.channel = answer->channel;
		}
		*answer = blotted;
	}
	blot_texts(step, answer);
}

/* False: the line joins no record, or cannot be joined yet. */
static bool
read_result(BiStep *step, const char *line, size_t len, BiResult *result)
{
	BiDeliver  *d = step->deliver;
	BiAnswer	answer;
	bool		damaged;

	read_answer(step, line, len, &answer);
	damaged = is_damaged(&answer);
	if (answer.custom_id == NULL && answer.fingerprint == NULL)
	{
		d->malformed += d->salvaging ? 0 : 1;
		return false;
	}
	if (damaged != d->salvaging)
	{
		d->damaged += damaged ? 1 : 0;
		return false;
	}
	d->repaired += answer.line == BI_LINE_REPAIRED && !damaged ? 1 : 0;
	if (answer.custom_id == NULL && d->join == NULL)
	{
		d->held = line;
		d->held_len = len;
		return false;
	}
	result->seq = find_record(step, &answer);
	if (result->seq == 0 || !first_time(d, result->seq))
		return false;
	count_channel(d, answer.channel);
	fill_result(step, &answer, line, len, result);
	return true;
}

/* The next line of any part, or the beginning of one that is too long; false after the last. */
static bool
next_line(BiStep *step, const char **line, size_t *len)
{
	BiDeliver  *d = step->deliver;

	if (d->held)
	{
		*line = d->held;
		*len = d->held_len;
		d->held = NULL;
		return true;
	}
	while (d->part < list_length(step->spools))
	{
		if (d->lines == NULL)
			d->lines = bi_lines_open(list_nth(step->spools, d->part), LINE_MAX_BYTES);
		if (bi_lines_next(d->lines, line, len))
		{
			if (*line == NULL)
				*line = bi_lines_head(d->lines, len);
			return true;
		}
		d->lines = NULL;
		d->part++;
	}
	return false;
}

void
bi_answer_salvage(BiStep *step)
{
	step->deliver->salvaging = true;
	step->deliver->part = 0;
	step->deliver->lines = NULL;
}

/* Nothing but white space, and perhaps a byte order mark? */
static bool
is_blank(const char *line, size_t len)
{
	size_t		mark = strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	return mark + strspn(line + mark, " \t\r\n\v\f") == len;
}

void
bi_answer_begin_slice(BiDeliver *d)
{
	d->slice_end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SLICE_MS);
}

bool
bi_answer_slice_over(const BiDeliver *d)
{
	return GetCurrentTimestamp() >= d->slice_end;
}

static char *
copy(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

/* Moves what a result has from the line's context to the current one. */
static void
keep_result(BiResult *result)
{
	result->output = copy(result->output);
	result->reasoning = copy(result->reasoning);
	result->finish_reason = copy(result->finish_reason);
	result->model = copy(result->model);
	result->error_code = copy(result->error_code);
	result->error = copy(result->error);
	result->request_id = copy(result->request_id);
}

/* read_result without what the line's tree took; the result is in the current context. */
static bool
read_line(BiStep *step, const char *line, size_t len, BiResult *result)
{
	BiDeliver  *d = step->deliver;
	MemoryContext old = MemoryContextSwitchTo(d->line_cxt);
	bool		found;

	memset(result, 0, sizeof(BiResult));
	found = read_result(step, line, len, result);
	MemoryContextSwitchTo(old);
	if (found)
		keep_result(result);
	MemoryContextReset(d->line_cxt);
	return found;
}

int
bi_answer_read(BiStep *step, BiResult *results)
{
	const char *line;
	size_t		len;
	size_t		bytes = 0;
	int			n = 0;

	do
	{
		MemoryContext old = MemoryContextSwitchTo(step->cxt);
		bool		more = next_line(step, &line, &len);

		MemoryContextSwitchTo(old);
		if (!more)
			break;
		if (is_blank(line, len))
			continue;
		if (read_line(step, line, len, &results[n]))
			n++;
		if (step->deliver->held)
			break;
		step->deliver->nlines += step->deliver->salvaging ? 0 : 1;
		bytes += len;
	} while (n < BI_ANSWER_GROUP && bytes < BI_ANSWER_GROUP_BYTES && !bi_answer_slice_over(step->deliver));
	return n;
}
