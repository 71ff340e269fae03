/*
 * provider/vertex_job.c: batch prediction jobs and lists of them.
 *
 * Knows what a job looks like, where any member may be null, missing or of a wrong type, and
 * how ours is told from others: by its labels.  Counts are texts.  Knows no HTTP.  Called by
 * vertex.c.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/openai.h"
#include "provider/vertex.h"
#include "provider/wire.h"

#define STATE "JOB_STATE_"

/* A job that runs for a day is ended by Vertex AI, which calls that cancelled as well. */
#define CUT_OFF (24 * 60 * 60 - 15 * 60)

/* Create */

static void
append_member(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "\"%s\":", name);
	bi_json_append_string(out, value);
}

void
bi_vertex_job_append(StringInfo out, const BiCall *call)
{
	const BiChunk *chunk = call->chunk;

	appendStringInfoChar(out, '{');
	append_member(out, "displayName", psprintf("batchinf-%s-%d", chunk->intent, chunk->tries));
	appendStringInfoChar(out, ',');
	append_member(out, "model", bi_vertex_model_name(call->server, call->job->spec.model));
	appendStringInfoString(out, ",\"inputConfig\":{\"instancesFormat\":\"jsonl\",\"gcsSource\":{\"uris\":[");
	bi_json_append_string(out, bi_vertex_store_place(call, "input.jsonl"));
	appendStringInfoString(out, "]}},\"outputConfig\":{\"predictionsFormat\":\"jsonl\",\"gcsDestination\":{");
	append_member(out, "outputUriPrefix", bi_vertex_store_results(call));
	appendStringInfo(out, "}},\"labels\":{\"" BI_VERTEX_INTENT "\":\"%s\",\"" BI_VERTEX_TRY "\":\"%d\"}}", chunk->intent, chunk->tries);
}

/* A job */

static const char *
state_of(const BiJson *job)
{
	const char *state = bi_json_string(bi_json_at(job, "state", NULL), NULL);

	return state && strncmp(state, STATE, strlen(STATE)) == 0 ? state + strlen(STATE) : NULL;
}

static BiBatchState
parse_state(const char *state)
{
	static const struct
	{
		const char *word;
		BiBatchState state;
	}			words[] =
	{
		{"RUNNING", BI_BATCH_RUNNING},
		{"UPDATING", BI_BATCH_RUNNING},
		{"CANCELLING", BI_BATCH_RUNNING},
		{"SUCCEEDED", BI_BATCH_COMPLETED},
		{"PARTIALLY_SUCCEEDED", BI_BATCH_COMPLETED},
		{"FAILED", BI_BATCH_FAILED},
		{"CANCELLED", BI_BATCH_CANCELLED},
		{"EXPIRED", BI_BATCH_EXPIRED},
	};

	for (int i = 0; i < lengthof(words); i++)
		if (strcmp(state, words[i].word) == 0)
			return words[i].state;
	return BI_BATCH_WAITING;	/* QUEUED, PENDING, PAUSED and words that we do not know */
}

/* The last part of projects/…/locations/…/batchPredictionJobs/ID. */
static char *
id_of(const BiJson *job)
{
	char	   *name = bi_openai_reply_id(bi_json_at(job, "name", NULL));
	char	   *id = name ? strstr(name, "/batchPredictionJobs/") : NULL;

	if (id == NULL)
		return NULL;
	id += strlen("/batchPredictionJobs/");
	return *id && id[strspn(id, "0123456789")] == '\0' ? id : NULL;
}

static int64
count_of(const BiJson *job, const char *name)
{
	char	   *text = bi_json_cstring(bi_json_at(job, "completionStats", name, NULL));
	size_t		len = text ? strlen(text) : 0;

	return len > 0 && len < 10 && text[strspn(text, "0123456789")] == '\0' ? strtoll(text, NULL, 10) : -1;
}

static List *
read_faults(const BiJson *job)
{
	const BiJson *error = bi_json_at(job, "error", NULL);
	const BiJson *partial = bi_json_at(job, "partialFailures", NULL);
	List	   *faults = error ? list_make1(bi_gapi_fault(error)) : NIL;

	for (int i = 0; bi_json_type(partial) == BI_JSON_ARRAY && i < bi_json_length(partial); i++)
		faults = lappend(faults, bi_gapi_fault(bi_json_item(partial, i)));
	return faults;
}

/* Only for load: the job would fail in the same way again for anything else. */
static bool
is_transient(const List *faults)
{
	return faults != NIL && bi_gapi_is_transient(((const BiFault *) linitial(faults))->code);
}

/* Where the results are, and how many lines they have: those of failed requests are among them. */
static List *
read_refs(const BiJson *job, int64 lines)
{
	char	   *folder = bi_openai_reply_id(bi_json_at(job, "outputInfo", "gcsOutputDirectory", NULL));
	List	   *refs = folder ? bi_ref_set(NIL, BI_VERTEX_OUTPUT, folder) : NIL;

	return lines > 0 ? bi_ref_set(refs, BI_REF_LINES, psprintf(INT64_FORMAT, lines)) : refs;
}

/*
 * What one word says for several ends.  A failed job that answered requests has results, which
 * are paid for.  A job that was cut off after a day is cancelled by nobody: what is left may be
 * sent again.
 */
static BiBatchState
end_state(const BiJson *job, BiBatchState state, int64 good)
{
	int64		start = bi_gapi_time(bi_json_at(job, "startTime", NULL));
	int64		end = bi_gapi_time(bi_json_at(job, "endTime", NULL));

	if (state == BI_BATCH_FAILED && good > 0)
		return BI_BATCH_COMPLETED;
	if (state == BI_BATCH_CANCELLED && start >= 0 && end - start >= CUT_OFF)
		return BI_BATCH_EXPIRED;
	return state;
}

bool
bi_vertex_job_read(const BiJson *json, BiBatch *batch)
{
	const char *state = state_of(json);
	int64		good = count_of(json, "successfulCount");
	int64		bad = count_of(json, "failedCount");

	memset(batch, 0, sizeof(BiBatch));
	if (state == NULL)
		return false;
	batch->id = id_of(json);
	batch->state = end_state(json, parse_state(state), good);
	batch->faults = read_faults(json);
	batch->deferred = batch->state == BI_BATCH_FAILED && is_transient(batch->faults);
	if (batch->state >= BI_BATCH_COMPLETED && !batch->deferred)
		batch->refs = read_refs(json, Max(good, 0) + Max(bad, 0));
	batch->completed = good;
	batch->failed = bad;
	return true;
}

/* Lists */

static bool
has_label(const BiJson *job, const char *name, const char *value)
{
	const char *label = bi_json_string(bi_json_at(job, "labels", name, NULL), NULL);

	return label && strcmp(label, value) == 0;
}

static bool
is_ours(const BiChunk *chunk, const BiJson *job)
{
	return has_label(job, BI_VERTEX_INTENT, chunk->intent) && has_label(job, BI_VERTEX_TRY, psprintf("%d", chunk->tries));
}

/* The least is to be followed: the oldest, but one that came to nothing after all others. */
static int64
rank_of(const BiJson *job)
{
	const char *state = state_of(job);
	int64		created = bi_gapi_time(bi_json_at(job, "createTime", NULL));

	return state && parse_state(state) > BI_BATCH_COMPLETED ? PG_INT64_MAX / 2 + created : created;
}

static void
add_found(BiFound *found, const BiJson *jobs, const BiJson *best, const BiChunk *chunk)
{
	for (int i = 0; i < bi_json_length(jobs); i++)
	{
		const BiJson *job = bi_json_item(jobs, i);

		if (job == best)
			found->batch_id = id_of(job);
		else if (is_ours(chunk, job))
			found->twins = lappend(found->twins, id_of(job));
	}
}

bool
bi_vertex_job_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *jobs = bi_json_at(json, "batchPredictionJobs", NULL);
	const BiJson *next = bi_json_at(json, "nextPageToken", NULL);
	const BiJson *best = NULL;
	char	   *token = bi_json_cstring(next);

	memset(found, 0, sizeof(BiFound));
	if (bi_json_type(json) != BI_JSON_OBJECT || (jobs && bi_json_type(jobs) != BI_JSON_ARRAY) || (next && token == NULL))
		return false;
	for (int i = 0; i < bi_json_length(jobs); i++)
	{
		const BiJson *job = bi_json_item(jobs, i);

		if (id_of(job) == NULL)
			return false;		/* it might be ours: no "there is none" after this */
		if (is_ours(call->chunk, job) && (best == NULL || rank_of(job) < rank_of(best)))
			best = job;
	}
	if (best)
		add_found(found, jobs, best, call->chunk);
	found->complete = token == NULL || *token == '\0';
	found->cursor = found->complete ? NULL : token;
	return true;
}
