/*
 * provider/google/vertex_store.c: what a chunk has in Cloud Storage: its input, the results, and
 * how all of it is removed.
 *
 * The chunk's folder (folder.h) holds input.jsonl, and from Vertex AI
 * out-TRY/prediction-model-TIME/predictions*.jsonl (source: GoogleCloudPlatform/generative-ai,
 * intro_batch_prediction.ipynb, 2026-08).
 *
 * Decided here: an upload is one request, not a resumable one.  The JSON API takes 1 GB so, and
 * what breaks off is sent again whole.
 */
#include "postgres.h"

#include "provider/folder.h"
#include "provider/google/gcs.h"
#include "provider/google/vertex_store.h"
#include "provider/objects.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define PAGE_SIZE 1000

/* Cursors of upload. */
#define STAT "stat"				/* look at the object that exists */
#define DROP "drop "			/* delete it; and its generation */

char *
bi_vertex_store_results(const BiCall *call)
{
	return bi_folder_place(call, psprintf("out-%d", call->chunk->batch->try));
}

/*
 * Upload: put the input where no object is.  An object that exists already comes from an upload of
 * ours whose answer was lost.  If it has the very bytes of the input, it is used.  Otherwise that
 * upload broke off: delete the object, and say so.
 */

/* True if the cursor begins so. */
static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return bi_words_begin(call->cursor, cursor);
}

void
bi_vertex_store_upload(const BiCall *call, BiExchange *ex)
{
	char	   *place = bi_folder_input(call);

	if (is_cursor(call, STAT))
		bi_gcs_stat(call, place, ex);
	else if (is_cursor(call, DROP))
		bi_gcs_delete(call, place, call->cursor + strlen(DROP), ex);
	else
		bi_gcs_put(call, place, ex);
}

/* Compares the object that the store has with ex->upload, which is set even if it was not sent with
 * this request. */
static BiVerdict
judge_object(const BiCall *call, const BiExchange *ex, List **refs)
{
	bool		same;
	char	   *generation = bi_gcs_read_object(ex, &same);

	if (generation == NULL)
		return bi_verdict_unexpected(ex, "an object");
	if (!same)
		return bi_verdict_next(psprintf(DROP "%s", generation));
	*refs = bi_ref_set(*refs, BI_FOLDER_INPUT, bi_folder_input(call));
	return (BiVerdict) {BI_VERDICT_OK};
}

BiVerdict
bi_vertex_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);
	bool		replied = ex->transport == BI_TRANSPORT_REPLIED;
	bool		failed_precondition = replied && ex->status == 412;
	bool		gone = verdict.kind == BI_VERDICT_OK || verdict.kind == BI_VERDICT_ABSENT;

	if (is_cursor(call, DROP) && (gone || failed_precondition))
		return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "other_bytes",
							   "the object did not have the bytes of this input: it is removed");
	if (call->cursor == NULL && failed_precondition)
		return bi_verdict_next(STAT);
	/* What is missing is the bucket: a person must act. */
	if (verdict.kind == BI_VERDICT_ABSENT && call->cursor == NULL)
		bi_verdict_change(&verdict, ex, BI_VERDICT_DENIED);
	return verdict.kind == BI_VERDICT_OK ? judge_object(call, ex, refs) : verdict;
}

/* Outputs: list the chunk's folder, page by page. */

void
bi_vertex_store_outputs(const BiCall *call, BiExchange *ex)
{
	bi_gcs_list(call, bi_folder_place(call, ""), PAGE_SIZE, call->cursor, ex);
}

/*
 * Returns the folder of the results, seen from the chunk's folder, palloc'd.  It is the one that
 * the prediction job names, if that is below the one that we gave; nothing is read or deleted
 * anywhere else.
 */
static char *
results_folder(const BiCall *call)
{
	const char *named = bi_ref_get(call->chunk->batch->refs, BI_VERTEX_OUTPUT);
	char	   *home = bi_folder_place(call, "");
	char	   *given = psprintf("%s/", bi_vertex_store_results(call));

	if (!bi_words_begin(named, given))
		named = given;
	return psprintf("%s/", bi_wire_trimmed(named + strlen(home)));
}

/* True if a component of the name begins with "incremental_": each line of such a file stands once
 * more in another file. */
static bool
is_incremental(const char *name)
{
	for (; name; name = strchr(name, '/') ? strchr(name, '/') + 1 : NULL)
		if (bi_words_begin(name, "incremental_"))
			return true;
	return false;
}

/* True if the object is a results file in that folder. */
static bool
is_result(const char *folder, const char *name)
{
	return bi_words_begin(name, folder) && !is_incremental(name) && bi_words_end(name, ".jsonl");
}

/* Returns the name of the i-th results file, from 0; NULL: there are no more. */
static const char *
result_of(const BiCall *call, const List *refs, int i)
{
	char	   *folder = results_folder(call);
	const char *name;

	for (int n = 0; (name = bi_objects_get(refs, n)) != NULL; n++)
		if (is_result(folder, name) && i-- == 0)
			return name;
	return NULL;
}

/* Returns what follows once the list is complete. */
static BiVerdict
listed(const BiCall *call, const BiExchange *ex, const List *refs)
{
	const BiChunk *chunk = call->chunk;
	bool		completed = chunk->batch->end == BI_BATCH_END_COMPLETED;

	if (chunk->state != BI_CHUNK_CLEANING && completed && result_of(call, refs, 0) == NULL)
		return bi_folder_no_results(ex, bi_vertex_store_results(call));
	return (BiVerdict) {BI_VERDICT_OK};
}

BiVerdict
bi_vertex_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);
	char	   *token;

	if (verdict.kind == BI_VERDICT_OK)
		verdict = bi_folder_take_page(call, ex, bi_gcs_read_list, refs, &token);
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	return token ? bi_verdict_next(token) : listed(call, ex, *refs);
}

/* Fetch, discard */

bool
bi_vertex_store_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = result_of(call, call->chunk->batch->refs, part);

	if (name)
		bi_gcs_get(call, bi_folder_place(call, name), ex);
	return name != NULL;
}

bool
bi_vertex_store_discard(const BiCall *call, int i, BiExchange *ex)
{
	const char *name = bi_objects_get(call->chunk->batch->refs, i);

	if (name)
		bi_gcs_delete(call, bi_folder_place(call, name), NULL, ex);
	return name != NULL;
}
