/*
 * provider/gemini_batch.c: batches of the Gemini Developer API, which shows them as
 * operations, and lists of them.
 *
 * Knows what an operation looks like, where any member may be null, missing or of a wrong
 * type, and by what ours is told from others.  Knows no HTTP.  Called by gemini.c.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/gemini.h"
#include "provider/wire.h"

/* BATCH_STATE_…, by some versions JOB_STATE_…; where there is none, the operation tells. */
static BiBatchState
parse_state(const char *word, const BiJson *operation)
{
	static const struct
	{
		const char *word;
		BiBatchState state;
	}			words[] =
	{
		{"RUNNING", BI_BATCH_RUNNING},
		{"SUCCEEDED", BI_BATCH_COMPLETED},
		{"PARTIALLY_SUCCEEDED", BI_BATCH_COMPLETED},
		{"FAILED", BI_BATCH_FAILED},
		{"EXPIRED", BI_BATCH_EXPIRED},
		{"CANCELLED", BI_BATCH_CANCELLED},
	};
	const char *rest = word ? strstr(word, "STATE_") : NULL;

	for (int i = 0; rest && i < lengthof(words); i++)
		if (strcmp(rest + strlen("STATE_"), words[i].word) == 0)
			return words[i].state;
	if (word || !bi_json_bool(bi_json_at(operation, "done", NULL), false))
		return BI_BATCH_WAITING;
	return bi_json_at(operation, "error", NULL) ? BI_BATCH_FAILED : BI_BATCH_COMPLETED;
}

/* Counts are texts, and those of 0 are left out. */
static int64
count_of(const BiJson *stats, const char *name)
{
	char	   *text = bi_json_cstring(bi_json_at(stats, name, NULL));

	if (bi_json_type(stats) != BI_JSON_OBJECT)
		return -1;
	return text && strlen(text) < 10 && text[strspn(text, "0123456789")] == '\0' ? strtoll(text, NULL, 10) : 0;
}

static List *
read_refs(const BiJson *operation, const BiBatch *batch)
{
	const BiJson *file = bi_json_at(operation, "metadata", "output", "responsesFile", NULL);
	char	   *name = bi_gemini_api_name(file ? file : bi_json_at(operation, "response", "responsesFile", NULL), "files");

	if (name == NULL)
		return NIL;
	if (batch->completed < 0)
		return bi_ref_set(NIL, BI_GEMINI_OUTPUT, name);
	return bi_ref_set(bi_ref_set(NIL, BI_GEMINI_OUTPUT, name), BI_REF_LINES, psprintf(INT64_FORMAT, batch->completed + batch->failed));
}

bool
bi_gemini_batch_read(const BiJson *json, BiBatch *batch)
{
	const BiJson *metadata = bi_json_at(json, "metadata", NULL);
	const BiJson *stats = bi_json_at(metadata, "batchStats", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	memset(batch, 0, sizeof(BiBatch));
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
		batch->deferred = batch->state == BI_BATCH_FAILED && bi_gapi_is_transient(bi_gapi_word(error));
	}
	return true;
}

char *
bi_gemini_batch_of(const BiChunk *chunk, int i)
{
	const char *dead = bi_ref_get(chunk->refs, BI_GEMINI_DEAD);

	if (chunk->batch_id && i-- == 0)
		return chunk->batch_id;
	for (; dead && i > 0; i--)
	{
		dead = strchr(dead, ' ');
		dead = dead ? dead + 1 : NULL;
	}
	return dead ? pnstrdup(dead, strcspn(dead, " ")) : NULL;
}

/* One that has come to nothing. */
static bool
is_known(const BiChunk *chunk, const char *id)
{
	const char *known;

	for (int i = 0; (known = bi_gemini_batch_of(chunk, i)) != NULL; i++)
		if (strcmp(known, id) == 0)
			return true;
	return false;
}

/* Has it only what a list has?  An empty one has nothing. */
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

/* false where it might be ours and does not tell. */
static bool
add_operation(const BiChunk *chunk, const BiJson *operation, BiFound *found)
{
	char	   *id = bi_gemini_api_name(bi_json_at(operation, "name", NULL), "batches");
	const char *name = bi_json_string(bi_json_at(operation, "metadata", "displayName", NULL), NULL);

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
	const BiJson *next = bi_json_at(json, "nextPageToken", NULL);
	char	   *token = bi_json_cstring(next);

	memset(found, 0, sizeof(BiFound));
	if (!is_list(json) || (operations && bi_json_type(operations) != BI_JSON_ARRAY) || (next && token == NULL))
		return false;
	for (int i = 0; operations && i < bi_json_length(operations); i++)
		if (!add_operation(call->chunk, bi_json_item(operations, i), found))
			return false;
	found->complete = token == NULL || *token == '\0';
	found->cursor = found->complete ? NULL : token;
	return true;
}
