/*
 * provider/google/gemini_batch.c: how the Gemini Developer API shows a batch, and lists of them.
 *
 * A batch is shown as an operation, any member of which may be null, missing or of a wrong type.
 * Ours are told from others by their display names.  Knows no HTTP.
 */
#include "postgres.h"

#include "provider/google/gapi.h"
#include "provider/google/gemini_api.h"
#include "provider/google/gemini_batch.h"
#include "provider/google/gemini_file.h"
#include "provider/report.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Returns what the word of a state means: BATCH_STATE_…, from some versions JOB_STATE_….  A
 * word that is not known is one of waiting.  Without a word the operation's "done" and "error"
 * decide. */
static BiBatchState
parse_state(const char *word, const BiJson *operation)
{
	static const BiStateWord words[] = {
		{"RUNNING", BI_BATCH_RUNNING},
		{"SUCCEEDED", BI_BATCH_COMPLETED},
		{"PARTIALLY_SUCCEEDED", BI_BATCH_COMPLETED},
		{"FAILED", BI_BATCH_FAILED},
		{"EXPIRED", BI_BATCH_EXPIRED},
		{"CANCELLED", BI_BATCH_CANCELLED},
		{NULL}
	};
	const char *rest = word ? strstr(word, "STATE_") : NULL;

	if (rest)
		return bi_report_state(words, rest + strlen("STATE_"), bi_words_equal);
	if (word || !bi_json_bool(bi_json_at(operation, "done", NULL), false))
		return BI_BATCH_WAITING;
	return bi_json_at(operation, "error", NULL) ? BI_BATCH_FAILED : BI_BATCH_COMPLETED;
}

/* Returns a count of requests; -1 if no counts are known.  Counts are texts, and one of 0 is left
 * out. */
static int64
count_of(const BiJson *stats, const char *name)
{
	if (bi_json_type(stats) != BI_JSON_OBJECT)
		return -1;
	return bi_gapi_count(bi_json_at(stats, name, NULL), 9, 0);
}

/* Returns the references that say where the results are, and how many lines they have if that is
 * known; NIL if the operation does not say where they are. */
static List *
read_refs(const BiJson *operation, const BiBatchReport *batch)
{
	const BiJson *file = bi_json_at(operation, "metadata", "output", "responsesFile", NULL);
	char	   *name;
	List	   *refs;

	if (file == NULL)
		file = bi_json_at(operation, "response", "responsesFile", NULL);
	name = bi_gemini_api_name(file, "files");
	if (name == NULL)
		return NIL;
	refs = bi_ref_set(NIL, BI_GEMINI_OUTPUT, name);
	if (batch->completed < 0)
		return refs;
	return bi_ref_set(refs, BI_REF_LINES,
					  psprintf(INT64_FORMAT, batch->completed + batch->failed));
}

bool
bi_gemini_batch_read(const BiJson *json, BiBatchReport *batch)
{
	const BiJson *metadata = bi_json_at(json, "metadata", NULL);
	const BiJson *stats = bi_json_at(metadata, "batchStats", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	memset(batch, 0, sizeof(BiBatchReport));
	batch->id = bi_gemini_api_name(bi_json_at(json, "name", NULL), "batches");
	if (batch->id == NULL)
		return false;
	batch->state = parse_state(bi_json_string(bi_json_at(metadata, "state", NULL), NULL), json);
	batch->completed = count_of(stats, "successfulRequestCount");
	batch->failed = count_of(stats, "failedRequestCount");
	batch->refs = read_refs(json, batch);
	if (error)
	{
		batch->faults = list_make1(bi_gapi_fault(error));
		batch->deferred = batch->state == BI_BATCH_FAILED &&
			bi_gapi_is_transient(bi_gapi_word(error));
	}
	return true;
}

/* True if it is a batch of the chunk that is known already: one that has come to nothing. */
static bool
is_known(const BiChunk *chunk, const char *id)
{
	const char *known;

	for (int i = 0; (known = bi_batch_known(chunk->batch, i)) != NULL; i++)
		if (strcmp(known, id) == 0)
			return true;
	return false;
}

/* True if the object has only members that a list has.  An empty list has none; an object with
 * other members is not a list, and must not prove that there is no batch. */
static bool
is_list(const BiJson *json)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(json, &place, &key, &value))
		if (strcmp(key, "operations") != 0 && strcmp(key, "nextPageToken") != 0)
			return false;
	return bi_json_type(json) == BI_JSON_OBJECT;
}

/* Adds the batch to *found if it has our display name.  False if it may be ours and does not
 * say. */
static bool
add_operation(const BiChunk *chunk, const BiJson *operation, BiFound *found)
{
	char	   *id = bi_gemini_api_name(bi_json_at(operation, "name", NULL), "batches");
	const BiJson *metadata = bi_json_at(operation, "metadata", NULL);
	const char *name = bi_json_string(bi_json_at(metadata, "displayName", NULL), NULL);

	if (id == NULL || name == NULL)
		return false;
	if (strcmp(name, bi_gemini_api_token(chunk)) != 0 || is_known(chunk, id))
		return true;
	if (found->batch_id)
		found->twins = lappend(found->twins, id);
	else
		found->batch_id = id;
	return true;
}

bool
bi_gemini_batch_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *operations = bi_json_at(json, "operations", NULL);

	memset(found, 0, sizeof(BiFound));
	if (!is_list(json) || (operations && bi_json_type(operations) != BI_JSON_ARRAY) ||
		!bi_report_read_token(bi_json_at(json, "nextPageToken", NULL), found))
		return false;
	for (int i = 0; operations && i < bi_json_length(operations); i++)
		if (!add_operation(call->chunk, bi_json_item(operations, i), found))
			return false;
	return true;
}
