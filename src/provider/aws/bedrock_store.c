/*
 * provider/aws/bedrock_store.c: what a chunk has in S3: its input, the results, and how all of it
 * is removed.
 *
 * The chunk's folder (folder.h) holds input.jsonl, and from Bedrock out/JOB ID/input.jsonl.out and
 * out/JOB ID/manifest.json.out (source: Bedrock's user guide, "View the results of a batch
 * inference job", 2026-11).
 *
 * Decided here:
 * - Results are the files in the folder of the chunk's present job, and no others.
 * - How many lines they must have is what the manifest counts as good and as bad.
 * - A completed job without results is ABSENT; after any other end there may be none.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws/bedrock_store.h"
#include "provider/aws/s3.h"
#include "provider/aws/s3_reply.h"
#include "provider/folder.h"
#include "provider/objects.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Cursors of upload. */
#define MAKE_BUCKET "bucket"	/* the bucket is to be made */
#define AGAIN "again"			/* the bucket has been made: the input is to be put again */

/* Cursors of outputs. */
#define PAGE "page "			/* and the token of the list's next page */
#define MANIFEST "manifest"		/* the list is complete: the manifest is to be read */

/* True if that is the cursor. */
static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return bi_words_equal(call->cursor, cursor);
}

/* Upload: put the input; if its bucket is missing, make the bucket and put the input again. */

void
bi_bedrock_store_upload(const BiCall *call, BiExchange *ex)
{
	char	   *place = bi_folder_input(call);

	if (!is_cursor(call, MAKE_BUCKET))
	{
		bi_s3_put(call, place, ex);
		return;
	}
	ex->upload = NULL;
	bi_s3_make_bucket(call, place, ex);
}

bool
bi_bedrock_store_makes_bucket(const BiServer *server)
{
	return bi_words_equal(server->storage_create, "on");
}

BiVerdict
bi_bedrock_store_no_bucket(const BiServer *server, const BiExchange *ex)
{
	const char *bucket = server->storage_url + strlen("s3://");

	return bi_verdict_make(ex, BI_VERDICT_DENIED, "NoSuchBucket",
						   psprintf("bucket \"%.*s\" does not exist: create it in region \"%s\","
									" or set option \"storage_create\" of the server to \"on\"",
									(int) strcspn(bucket, "/"), bucket, server->region));
}

/* Returns what follows from the store's verdict that the bucket is missing. */
static BiVerdict
missing_bucket(const BiCall *call, const BiExchange *ex, BiVerdict verdict)
{
	if (!bi_bedrock_store_makes_bucket(call->server))
		return bi_bedrock_store_no_bucket(call->server, ex);
	if (call->cursor == NULL)
		return bi_verdict_next(MAKE_BUCKET);
	/* It was made just now and is not seen everywhere yet. */
	bi_verdict_change(&verdict, ex, BI_VERDICT_NOT_YET);
	return verdict;
}

BiVerdict
bi_bedrock_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);
	bool		done = verdict.kind == BI_VERDICT_OK;
	bool		ours = bi_words_equal(verdict.code, "BucketAlreadyOwnedByYou");

	if (is_cursor(call, MAKE_BUCKET))
		return done || ours ? bi_verdict_next(AGAIN) : verdict;
	if (bi_words_equal(verdict.code, "NoSuchBucket"))
		return missing_bucket(call, ex, verdict);
	if (!done)
		return verdict;
	/* Every store says the ETag of what it has stored; a gateway's 200 has none. */
	if (bi_exchange_reply_header(ex, "etag") == NULL)
		return bi_s3_reply_unexpected(ex, "an object store's");
	*refs = bi_ref_set(*refs, BI_FOLDER_INPUT, bi_folder_input(call));
	return verdict;
}

/* Outputs: list the folder, page by page, then read what Bedrock counted. */

/* Returns the name of the job's manifest, palloc'd. */
static char *
manifest_name(const BiChunk *chunk)
{
	return psprintf("out/%s/manifest.json.out", chunk->batch->id);
}

void
bi_bedrock_store_outputs(const BiCall *call, BiExchange *ex)
{
	const char *token = call->cursor ? call->cursor + strlen(PAGE) : NULL;

	if (is_cursor(call, MANIFEST))
		bi_s3_get(call, bi_folder_place(call, manifest_name(call->chunk)), ex);
	else
		bi_s3_list(call, bi_folder_place(call, ""), token, ex);
}

/* True if this object is a results file of the chunk's present job.  Earlier jobs of the chunk,
 * which failed for now, have folders beside it; what stands there is no answer. */
static bool
is_result(const BiChunk *chunk, const char *name)
{
	char	   *folder = psprintf("out/%s/", chunk->batch->id ? chunk->batch->id : "");
	const char *end = ".jsonl.out";

	return chunk->batch->id && bi_words_begin(name, folder) && bi_words_end(name, end) &&
		strlen(name) > strlen(folder) + strlen(end);
}

/* Returns the name of the i-th results file, from 0; NULL: there are no more. */
static const char *
result_of(const BiChunk *chunk, const List *refs, int i)
{
	const char *name;

	for (int n = 0; (name = bi_objects_get(refs, n)) != NULL; n++)
		if (is_result(chunk, name) && i-- == 0)
			return name;
	return NULL;
}

/* True if the chunk's folder has an object of that name. */
static bool
has_object(const List *refs, const char *wanted)
{
	const char *name;

	for (int i = 0; (name = bi_objects_get(refs, i)) != NULL; i++)
		if (strcmp(name, wanted) == 0)
			return true;
	return false;
}

/* True if there must be results: the job completed, or counted lines.  Any other end may come
 * before the first result. */
static bool
has_results(const BiChunk *chunk, const List *refs)
{
	const char *lines = bi_ref_get(refs, BI_REF_LINES);

	return lines ? strcmp(lines, "0") != 0 : chunk->batch->end == BI_BATCH_END_COMPLETED;
}

/* Returns what follows once the list is complete. */
static BiVerdict
listed(const BiCall *call, const BiExchange *ex, const List *refs)
{
	const BiChunk *chunk = call->chunk;

	if (chunk->state == BI_CHUNK_CLEANING || chunk->batch->id == NULL)
		return (BiVerdict) {BI_VERDICT_OK};
	if (result_of(chunk, refs, 0) == NULL && has_results(chunk, refs))
		return bi_folder_no_results(ex, bi_folder_place(call, "out/"));
	if (has_object(refs, manifest_name(chunk)))
		return bi_verdict_next(MANIFEST);
	return (BiVerdict) {BI_VERDICT_OK};
}

/* Reads one page of the list. */
static BiVerdict
read_page(const BiCall *call, const BiExchange *ex, List **refs)
{
	char	   *token;
	BiVerdict	verdict = bi_folder_take_page(call, ex, bi_s3_reply_read_list, refs, &token);

	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	return token ? bi_verdict_next(psprintf(PAGE "%s", token)) : listed(call, ex, *refs);
}

/* Reads how many lines the results have: each record that was processed has one, good or bad. */
static BiVerdict
read_manifest(const BiExchange *ex, List **refs)
{
	BiJson	   *json = bi_wire_body(ex);
	int64		good = bi_wire_count(bi_json_at(json, "successRecordCount", NULL));
	int64		bad = bi_wire_count(bi_json_at(json, "errorRecordCount", NULL));

	if (good >= 0 && bad >= 0)
		*refs = bi_ref_set(*refs, BI_REF_LINES, psprintf(INT64_FORMAT, good + bad));
	return (BiVerdict) {BI_VERDICT_OK};
}

BiVerdict
bi_bedrock_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);

	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	return is_cursor(call, MANIFEST) ? read_manifest(ex, refs) : read_page(call, ex, refs);
}

/* Fetch */

bool
bi_bedrock_store_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = result_of(call->chunk, call->chunk->batch->refs, part);

	if (name)
		bi_s3_get(call, bi_folder_place(call, name), ex);
	return name != NULL;
}

BiVerdict
bi_bedrock_store_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);

	if (verdict.kind == BI_VERDICT_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_s3_reply_unexpected(ex, "a whole results file");
	return verdict;
}

/* Discard */

bool
bi_bedrock_store_discard(const BiCall *call, int i, BiExchange *ex)
{
	const char *name = bi_objects_get(call->chunk->batch->refs, i);

	if (name)
		bi_s3_delete(call, bi_folder_place(call, name), ex);
	return name != NULL;
}

/* A caller that may not delete can do everything else.  So AccessDenied is REFUSED here: the object
 * is left behind and reported, and the job ends. */
BiVerdict
bi_bedrock_store_read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_reply_verdict(call, ex);

	if (bi_words_equal(verdict.code, "AccessDenied"))
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	return verdict;
}
