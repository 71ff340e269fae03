/*
 * provider/aws/bedrock_job.c: how Bedrock shows a model invocation job, and lists of them.
 *
 * Any member may be missing, null or of a wrong type.  Knows how ours are told from others, and no
 * HTTP.
 *
 * Decided here:
 * - Which failures are for now ("deferred"): the engine then makes another job of the same input.
 * - A failed job with records that were done counts as completed.
 * - A job in a list whose ARN cannot be read may be ours: then "not found" proves nothing.
 */
#include "postgres.h"

#include "provider/aws/bedrock_job.h"
#include "provider/aws/bedrock_reply.h"
#include "provider/report.h"
#include "provider/wire.h"
#include "provider/words.h"

#define ARN_MIDDLE ":model-invocation-job/"
#define ID_LEN 12

/* Names and ids */

/*
 * The id is the last part of arn:aws:bedrock:REGION:ACCOUNT:model-invocation-job/ID.  Requests name
 * a job by it, because it needs no escapes (source: botocore, "jobIdentifier", 2026-08).
 */
char *
bi_bedrock_job_id(const BiJson *arn)
{
	char	   *text = bi_wire_id(arn);
	char	   *id = text ? strstr(text, ARN_MIDDLE) : NULL;

	if (id == NULL)
		return NULL;
	id += strlen(ARN_MIDDLE);
	if (strlen(id) != ID_LEN || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != ID_LEN)
		return NULL;
	return id;
}

/* A job */

/*
 * True if the message of a failed job is about load, quota or a fault of the service, and not about
 * the job's content or rights.  A message about content may quote a name that sounds like load, so
 * words of content come first.
 */
static bool
is_transient(const char *message)
{
	static const char *const load[] = {
		"throttl", "rate exceeded", "too many requests", "quota", "capacity", "try again",
		"try your request again", "unexpected error", "internal error", "internal server error",
		"internal failure", "unavailable", NULL
	};
	static const char *const content[] = {"record", "bucket", "role", "file", "json", NULL};

	return bi_words_mention(message, load) && !bi_words_mention(message, content) &&
		!bi_words_mention(message, bi_bedrock_reply_rights);
}

/* Returns what a job's status means; a status that is not known is one of waiting, as Submitted,
 * Validating and Scheduled are (source: botocore, ModelInvocationJobStatus, 2026-08). */
static BiBatchState
parse_status(const char *status)
{
	static const BiStateWord words[] = {
		{"InProgress", BI_BATCH_RUNNING},
		{"Stopping", BI_BATCH_RUNNING},
		{"Completed", BI_BATCH_COMPLETED},
		{"PartiallyCompleted", BI_BATCH_EXPIRED},	/* its time ended before it was done */
		{"Expired", BI_BATCH_EXPIRED},
		{"Stopped", BI_BATCH_CANCELLED},
		{"Failed", BI_BATCH_FAILED},
		{NULL}
	};

	return bi_report_state(words, status, bi_words_equal);
}

/* Returns the job's message as its only fault (BiFault); NIL if it has none. */
static List *
read_faults(const char *status, const BiJson *message)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = pstrdup(status);
	fault->message = bi_wire_json_words(message, BI_WIRE_MESSAGE);
	return fault->message ? list_make1(fault) : NIL;
}

/* Returns the reference that says how many lines the results of a job that has ended must have; NIL
 * if that is not known.  The manifest, if there is one, says it again. */
static List *
read_lines(const BiBatchReport *batch)
{
	bool		ended = batch->state == BI_BATCH_COMPLETED || batch->state == BI_BATCH_EXPIRED ||
		batch->state == BI_BATCH_CANCELLED;

	if (!ended || batch->completed < 0 || batch->failed < 0)
		return NIL;
	return bi_ref_set(NIL, BI_REF_LINES, psprintf(INT64_FORMAT, batch->completed + batch->failed));
}

bool
bi_bedrock_job_read(const BiJson *json, BiBatchReport *batch)
{
	char	   *status = bi_wire_json_words(bi_json_at(json, "status", NULL), BI_WIRE_CODE);

	memset(batch, 0, sizeof(BiBatchReport));
	if (status == NULL)
		return false;
	batch->state = parse_status(status);
	batch->id = bi_bedrock_job_id(bi_json_at(json, "jobArn", NULL));
	batch->completed = bi_wire_count(bi_json_at(json, "successRecordCount", NULL));
	batch->failed = bi_wire_count(bi_json_at(json, "errorRecordCount", NULL));
	batch->faults = read_faults(status, bi_json_at(json, "message", NULL));
	/* Records that were done are paid for: read them, and send the rest again. */
	if (batch->state == BI_BATCH_FAILED && batch->completed > 0)
		batch->state = BI_BATCH_COMPLETED;
	if (batch->state == BI_BATCH_FAILED && batch->faults)
		batch->deferred = is_transient(((BiFault *) linitial(batch->faults))->message);
	batch->refs = read_lines(batch);
	return true;
}

/* Finding a job again */

/*
 * The number of the try is not in the token.  Bedrock takes a token that it knows for the same
 * request, so a create call that is made again after its answer was lost makes no second job, even
 * if the list of jobs was wrong (source: botocore, "clientRequestToken", 2026-08).  A job that has
 * failed keeps its token, so the next one needs another.
 */
char *
bi_bedrock_job_token(const BiChunk *chunk)
{
	int			failed = list_length(chunk->batch->buried);

	if (failed > 0)
		return psprintf("batchinf-%s-%d", chunk->intent, failed);
	return psprintf("batchinf-%s", chunk->intent);
}

/* True if the job in a list has our token.  If the list does not show tokens, the job's name, which
 * is the same text, decides. */
static bool
is_ours(const BiJson *job, const char *ours)
{
	const BiJson *token = bi_json_at(job, "clientRequestToken", NULL);
	const char *word = bi_json_string(token ? token : bi_json_at(job, "jobName", NULL), NULL);

	return word && strcmp(word, ours) == 0;
}

/* Returns the id of a job in a list, palloc'd, or NULL. */
static char *
id_of(const BiJson *job)
{
	return bi_bedrock_job_id(bi_json_at(job, "jobArn", NULL));
}

bool
bi_bedrock_job_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *jobs = bi_json_at(json, "invocationJobSummaries", NULL);
	char	   *ours = bi_bedrock_job_token(call->chunk);
	List	   *ids;

	memset(found, 0, sizeof(BiFound));
	if (!bi_report_read_ids(jobs, id_of, &ids))
		return false;
	for (int i = 0; i < list_length(ids); i++)
		if (is_ours(bi_json_item(jobs, i), ours))
			found->batch_id = list_nth(ids, i);
	(void) bi_report_read_token(bi_json_at(json, "nextToken", NULL), found);
	return true;
}
