/*
 * provider/google/vertex_job.c: how Vertex AI shows a batch prediction job, and lists of them.
 *
 * Any member may be missing, null or of a wrong type; counts are texts, as all int64 values are in
 * Google's REST APIs.  Ours are told from others by their labels.  Knows no HTTP.
 *
 * Source: discovery of aiplatform v1, BatchPredictionJob (npm googleapis 178, seen 2026-11).
 */
#include "postgres.h"

#include "provider/folder.h"
#include "provider/google/gapi.h"
#include "provider/google/vertex_job.h"
#include "provider/google/vertex_model.h"
#include "provider/google/vertex_store.h"
#include "provider/report.h"
#include "provider/wire.h"
#include "provider/words.h"

#define STATE "JOB_STATE_"

/* Seconds of running after which a cancelled job counts as cut off by Vertex AI: a day, less a
 * quarter of an hour. */
#define CUT_OFF (24 * 60 * 60 - 15 * 60)

/* Create */

/* Appends "name":"value". */
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
	append_member(out, "displayName", psprintf("batchinf-%s-%d", chunk->intent, chunk->batch->try));
	appendStringInfoChar(out, ',');
	append_member(out, "model", bi_vertex_model_name(call->server, call->job->spec.model));
	appendStringInfoString(out, ",\"inputConfig\":{\"instancesFormat\":\"jsonl\","
						   "\"gcsSource\":{\"uris\":[");
	bi_json_append_string(out, bi_folder_place(call, "input.jsonl"));
	appendStringInfoString(out, "]}},\"outputConfig\":{\"predictionsFormat\":\"jsonl\","
						   "\"gcsDestination\":{");
	append_member(out, "outputUriPrefix", bi_vertex_store_results(call));
	appendStringInfo(out, "}},\"labels\":{\"" BI_VERTEX_INTENT "\":\"%s\",\"" BI_VERTEX_TRY
					 "\":\"%d\"}}", chunk->intent, chunk->batch->try);
}

/* A job */

/* Returns the word of a job's state without its prefix; NULL if it has none. */
static const char *
state_of(const BiJson *job)
{
	const char *state = bi_json_string(bi_json_at(job, "state", NULL), NULL);

	return bi_words_begin(state, STATE) ? state + strlen(STATE) : NULL;
}

/* Returns what the word means; one that is not known is one of waiting, as QUEUED, PENDING and
 * PAUSED are (source: JobState in npm @google-cloud/aiplatform's protos, 2026-11). */
static BiBatchState
parse_state(const char *state)
{
	static const BiStateWord words[] = {
		{"RUNNING", BI_BATCH_RUNNING},
		{"UPDATING", BI_BATCH_RUNNING},
		{"CANCELLING", BI_BATCH_RUNNING},
		{"SUCCEEDED", BI_BATCH_COMPLETED},
		{"PARTIALLY_SUCCEEDED", BI_BATCH_COMPLETED},
		{"FAILED", BI_BATCH_FAILED},
		{"CANCELLED", BI_BATCH_CANCELLED},
		{"EXPIRED", BI_BATCH_EXPIRED},
		{NULL}
	};

	return bi_report_state(words, state, bi_words_equal);
}

/* Returns a job's id, which is the last part of projects/…/locations/…/batchPredictionJobs/ID;
 * NULL if its name is not such. */
static char *
id_of(const BiJson *job)
{
	char	   *name = bi_wire_id(bi_json_at(job, "name", NULL));
	char	   *id = name ? strstr(name, "/batchPredictionJobs/") : NULL;

	if (id == NULL)
		return NULL;
	id += strlen("/batchPredictionJobs/");
	return *id && id[strspn(id, "0123456789")] == '\0' ? id : NULL;
}

/* Returns that count of requests; -1 if it is not known. */
static int64
count_of(const BiJson *job, const char *name)
{
	return bi_gapi_count(bi_json_at(job, "completionStats", name, NULL), 9, -1);
}

/* Returns the job's error and its partial failures (BiFault). */
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

/* True if the job failed for load or a fault of the service.  For any other reason it would fail in
 * the same way again; so it does if the service agent lacks a right, where a person sees the
 * failure sooner than a wait. */
static bool
is_transient(const List *faults)
{
	return faults != NIL && bi_gapi_is_transient(((const BiFault *) linitial(faults))->code);
}

/* Returns the references that say where the results are and how many lines they have.  Failed
 * requests have lines too. */
static List *
read_refs(const BiJson *job, int64 lines)
{
	char	   *folder = bi_wire_id(bi_json_at(job, "outputInfo", "gcsOutputDirectory", NULL));
	List	   *refs = folder ? bi_ref_set(NIL, BI_VERTEX_OUTPUT, folder) : NIL;

	return lines > 0 ? bi_ref_set(refs, BI_REF_LINES, psprintf(INT64_FORMAT, lines)) : refs;
}

/*
 * Returns the state of a job whose word means several ends.  A failed job that answered requests
 * has results, which are paid for: it counts as completed.  A job that Vertex AI cut off after a
 * day of running is called cancelled, but nobody cancelled it: what is left may be sent again, so
 * it counts as expired (source: docs.cloud.google.com, "Batch inference", 2026-11).
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
bi_vertex_job_read(const BiJson *json, BiBatchReport *batch)
{
	const char *state = state_of(json);
	int64		good = count_of(json, "successfulCount");
	int64		bad = count_of(json, "failedCount");

	memset(batch, 0, sizeof(BiBatchReport));
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

/* True if the job has that label with that value. */
static bool
has_label(const BiJson *job, const char *name, const char *value)
{
	const char *label = bi_json_string(bi_json_at(job, "labels", name, NULL), NULL);

	return label && strcmp(label, value) == 0;
}

/* True if the job has the labels of this chunk's present try. */
static bool
is_ours(const BiChunk *chunk, const BiJson *job)
{
	return has_label(job, BI_VERTEX_INTENT, chunk->intent) &&
		has_label(job, BI_VERTEX_TRY, psprintf("%d", chunk->batch->try));
}

/* Returns a job's rank among several of ours; the least is followed.  That is the oldest one; one
 * that came to nothing comes after all others. */
static int64
rank_of(const BiJson *job)
{
	const char *state = state_of(job);
	int64		created = bi_gapi_time(bi_json_at(job, "createTime", NULL));

	if (state && parse_state(state) > BI_BATCH_COMPLETED)
		return PG_INT64_MAX / 2 + created;
	return created;
}

/* Sets *found to best, and adds all others of ours as twins. */
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
	const BiJson *best = NULL;
	List	   *ids;

	memset(found, 0, sizeof(BiFound));
	if (bi_json_type(json) != BI_JSON_OBJECT || (jobs && !bi_report_read_ids(jobs, id_of, &ids)) ||
		!bi_report_read_token(bi_json_at(json, "nextPageToken", NULL), found))
		return false;
	for (int i = 0; i < bi_json_length(jobs); i++)
	{
		const BiJson *job = bi_json_item(jobs, i);

		if (is_ours(call->chunk, job) && (best == NULL || rank_of(job) < rank_of(best)))
			best = job;
	}
	if (best)
		add_found(found, jobs, best, call->chunk);
	return true;
}
