/*
 * provider/bedrock_job.c: model invocation jobs and lists of them.
 *
 * Knows what a job looks like, where any member may be null, missing or of a wrong type, and
 * by what ours is told from others.  Knows no HTTP.  Called by bedrock.c and bedrock_check.c.
 */
#include "postgres.h"

#include "provider/bedrock.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define ID_LEN 12

char *
bi_bedrock_job_id(const BiJson *arn)
{
	char	   *text = bi_openai_reply_id(arn);
	char	   *id = text ? strstr(text, ":model-invocation-job/") : NULL;

	if (id == NULL)
		return NULL;
	id = strchr(id, '/') + 1;
	return strlen(id) == ID_LEN && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ID_LEN ? id : NULL;
}

/*
 * Is it load, quota or a fault of the service, and not the job's content or rights?  A fault
 * of content may well quote a name that sounds like load.
 */
static bool
is_transient(const char *message)
{
	static const char *const load[] = {
		"throttl", "rate exceeded", "too many requests", "quota", "capacity", "try again", "try your request again",
		"unexpected error", "internal error", "internal server error", "internal failure", "unavailable", NULL
	};
	static const char *const content[] = {"record", "bucket", "role", "file", "json", NULL};

	return bi_bedrock_reply_mentions(message, load) && !bi_bedrock_reply_mentions(message, content) &&
		!bi_bedrock_reply_mentions(message, bi_bedrock_reply_rights);
}

static BiBatchState
parse_status(const char *status)
{
	static const struct
	{
		const char *word;
		BiBatchState state;
	}			words[] =
	{
		{"InProgress", BI_BATCH_RUNNING},
		{"Stopping", BI_BATCH_RUNNING},
		{"Completed", BI_BATCH_COMPLETED},
		{"PartiallyCompleted", BI_BATCH_EXPIRED},	/* its time was up */
		{"Expired", BI_BATCH_EXPIRED},
		{"Stopped", BI_BATCH_CANCELLED},
		{"Failed", BI_BATCH_FAILED},
	};

	for (int i = 0; i < lengthof(words); i++)
		if (strcmp(status, words[i].word) == 0)
			return words[i].state;
	return BI_BATCH_WAITING;	/* Submitted, Validating, Scheduled */
}

/* Of records; -1 where it is not told. */
static int64
count_of(const BiJson *job, const char *name)
{
	int64		count = bi_json_int(bi_json_at(job, name, NULL), -1);

	return count >= 0 && count <= PG_INT32_MAX ? count : -1;
}

static List *
read_faults(const char *status, const BiJson *message)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup(status);
	fault->message = bi_wire_json_words(message, BI_WIRE_MESSAGE);
	return fault->message ? list_make1(fault) : NIL;
}

/* How many lines the results of a job that has ended must have; the manifest, where there is
 * one, says it again. */
static List *
read_lines(const BiBatch *batch)
{
	bool		ended = batch->state == BI_BATCH_COMPLETED || batch->state == BI_BATCH_EXPIRED || batch->state == BI_BATCH_CANCELLED;

	if (!ended || batch->completed < 0 || batch->failed < 0)
		return NIL;
	return bi_ref_set(NIL, BI_REF_LINES, psprintf(INT64_FORMAT, batch->completed + batch->failed));
}

bool
bi_bedrock_job_read(const BiJson *json, BiBatch *batch)
{
	char	   *status = bi_wire_json_words(bi_json_at(json, "status", NULL), BI_WIRE_CODE);

	memset(batch, 0, sizeof(BiBatch));
	if (status == NULL)
		return false;
	batch->state = parse_status(status);
	batch->id = bi_bedrock_job_id(bi_json_at(json, "jobArn", NULL));
	batch->completed = count_of(json, "successRecordCount");
	batch->failed = count_of(json, "errorRecordCount");
	batch->faults = read_faults(status, bi_json_at(json, "message", NULL));
	/* What is paid for is read, and the rest sent again. */
	if (batch->state == BI_BATCH_FAILED && batch->completed > 0)
		batch->state = BI_BATCH_COMPLETED;
	if (batch->state == BI_BATCH_FAILED)
		batch->deferred = batch->faults && is_transient(((BiFault *) linitial(batch->faults))->message);
	batch->refs = read_lines(batch);
	return true;
}

/* So many jobs of this chunk have failed for now: their token stands for them for good. */
static int
count_dead(const BiChunk *chunk)
{
	const char *dead = bi_ref_get(chunk->refs, BI_BEDROCK_DEAD);
	int			n = dead ? 1 : 0;

	for (; dead && (dead = strchr(dead, ' ')) != NULL; dead++)
		n++;
	return n;
}

/* Not the number of the try: Bedrock takes the same token for the same job, so that a call that
 * is made again after it was lost makes no second one. */
char *
bi_bedrock_job_token(const BiChunk *chunk)
{
	int			dead = count_dead(chunk);

	return dead > 0 ? psprintf("batchinf-%s-%d", chunk->intent, dead) : psprintf("batchinf-%s", chunk->intent);
}

/* By its token; by its name, which is the same, where the token is not told. */
static bool
is_ours(const BiJson *job, const char *ours)
{
	const BiJson *token = bi_json_at(job, "clientRequestToken", NULL);
	const char *word = bi_json_string(token ? token : bi_json_at(job, "jobName", NULL), NULL);

	return word && strcmp(word, ours) == 0;
}

bool
bi_bedrock_job_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *jobs = bi_json_at(json, "invocationJobSummaries", NULL);
	const BiJson *next = bi_json_at(json, "nextToken", NULL);
	char	   *ours = bi_bedrock_job_token(call->chunk);

	memset(found, 0, sizeof(BiFound));
	if (bi_json_type(jobs) != BI_JSON_ARRAY)
		return false;
	for (int i = 0; i < bi_json_length(jobs); i++)
	{
		const BiJson *job = bi_json_item(jobs, i);
		char	   *id = bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL));

		if (id == NULL)
			return false;		/* it might be ours: no "there is none" after this */
		if (is_ours(job, ours))
			found->batch_id = id;
	}
	found->cursor = bi_json_cstring(next);
	found->complete = next == NULL || (found->cursor && *found->cursor == '\0');
	if (found->complete)
		found->cursor = NULL;
	return true;
}
