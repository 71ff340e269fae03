/*
 * provider/bedrock_store.c: what a chunk has in S3: its input, the results, and how all of
 * it is removed.
 *
 * Each chunk has a folder of its own, PREFIX/batchinf/INTENT/, with input.jsonl in it and
 * out/JOB ID/input.jsonl.out from Bedrock.  Where the input was put counts, and not where
 * the server's option says now.  Called through the routine table.
 */
#include "postgres.h"

#include "provider/bedrock.h"
#include "provider/objects.h"
#include "provider/s3.h"
#include "provider/wire.h"

/* Cursors. */
#define MAKE_BUCKET "bucket"
#define AGAIN "again"			/* the bucket has been made */
#define MANIFEST "manifest"
#define PAGE "page "			/* and the list's token */

char *
bi_bedrock_store_root(const BiServer *server, const char *name)
{
	return psprintf("%s/batchinf/%s", bi_wire_trimmed(server->storage_url), name);
}

char *
bi_bedrock_store_place(const BiCall *call, const char *name)
{
	const char *input = bi_ref_get(call->chunk->refs, BI_BEDROCK_INPUT);

	if (input && strrchr(input, '/'))
		return psprintf("%.*s%s", (int) (strrchr(input, '/') + 1 - input), input, name);
	return bi_bedrock_store_root(call->server, psprintf("%s/%s", call->chunk->intent, name));
}

/* Upload */

static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return call->cursor && strcmp(call->cursor, cursor) == 0;
}

void
bi_bedrock_store_upload(const BiCall *call, BiExchange *ex)
{
	char	   *place = bi_bedrock_store_root(call->server, psprintf("%s/input.jsonl", call->chunk->intent));

	if (!is_cursor(call, MAKE_BUCKET))
	{
		bi_s3_put(call, place, ex);
		return;
	}
	ex->upload = NULL;
	bi_s3_make_bucket(call, place, ex);
}

static bool
makes_buckets(const BiServer *server)
{
	return server->storage_create && strcmp(server->storage_create, "on") == 0;
}

BiVerdict
bi_bedrock_store_no_bucket(const BiServer *server)
{
	const char *bucket = server->storage_url + strlen("s3://");

	return (BiVerdict) {
		BI_DENIED, pstrdup("NoSuchBucket"),
		psprintf("bucket \"%.*s\" does not exist: create it in region \"%s\", or set option \"storage_create\" of the server to \"on\"",
				 (int) strcspn(bucket, "/"), bucket, server->region)
	};
}

static BiVerdict
next_turn(const char *cursor)
{
	return (BiVerdict) {.kind = BI_OK, .next = pstrdup(cursor)};
}

static BiVerdict
missing_bucket(const BiCall *call, BiVerdict verdict)
{
	if (!makes_buckets(call->server))
		return bi_bedrock_store_no_bucket(call->server);
	if (call->cursor == NULL)
		return next_turn(MAKE_BUCKET);
	verdict.kind = BI_NOT_YET;	/* it was made just now */
	return verdict;
}

BiVerdict
bi_bedrock_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);

	if (is_cursor(call, MAKE_BUCKET))
		return verdict.kind == BI_OK || bi_s3_has_code(&verdict, "BucketAlreadyOwnedByYou") ? next_turn(AGAIN) : verdict;
	if (bi_s3_has_code(&verdict, "NoSuchBucket"))
		return missing_bucket(call, verdict);
	if (verdict.kind != BI_OK)
		return verdict;
	if (bi_exchange_reply_header(ex, "etag") == NULL)
		return bi_s3_unexpected(ex, "an object store's");
	*refs = bi_ref_set(*refs, BI_BEDROCK_INPUT,
					   bi_bedrock_store_root(call->server, psprintf("%s/input.jsonl", call->chunk->intent)));
	return verdict;
}

/* Outputs: the folder is listed, and what Bedrock counted is read. */

static char *
manifest_name(const BiChunk *chunk)
{
	return psprintf("out/%s/manifest.json.out", chunk->batch_id);
}

void
bi_bedrock_store_outputs(const BiCall *call, BiExchange *ex)
{
	if (is_cursor(call, MANIFEST))
		bi_s3_get(call, bi_bedrock_store_place(call, manifest_name(call->chunk)), ex);
	else
		bi_s3_list(call, bi_bedrock_store_place(call, ""), call->cursor ? call->cursor + strlen(PAGE) : NULL, ex);
}

/* Results of the chunk's job; those of earlier ones that failed are no answers. */
static bool
is_result(const BiChunk *chunk, const char *name)
{
	char	   *folder = psprintf("out/%s/", chunk->batch_id ? chunk->batch_id : "");
	const char *end = ".jsonl.out";
	size_t		len = strlen(name);

	return chunk->batch_id && strncmp(name, folder, strlen(folder)) == 0 &&
		len > strlen(folder) + strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

/* The i-th result, from 0; NULL: there are no more. */
static const char *
result_of(const BiChunk *chunk, const List *refs, int i)
{
	const char *name;

	for (int n = 0; (name = bi_objects_get(refs, n)) != NULL; n++)
		if (is_result(chunk, name) && i-- == 0)
			return name;
	return NULL;
}

static bool
has_object(const List *refs, const char *wanted)
{
	const char *name;

	for (int i = 0; (name = bi_objects_get(refs, i)) != NULL; i++)
		if (strcmp(name, wanted) == 0)
			return true;
	return false;
}

/* Must there be results?  An end may come before the first of them. */
static bool
has_results(const BiChunk *chunk, const List *refs)
{
	const char *lines = bi_ref_get(refs, BI_REF_LINES);

	return lines ? strcmp(lines, "0") != 0 : chunk->batch_end && strcmp(chunk->batch_end, "completed") == 0;
}

/* The list is whole. */
static BiVerdict
listed(const BiCall *call, const List *refs)
{
	const BiChunk *chunk = call->chunk;

	if (chunk->state == BI_CLEANING || chunk->batch_id == NULL)
		return (BiVerdict) {BI_OK};
	if (result_of(chunk, refs, 0) == NULL && has_results(chunk, refs))
		return (BiVerdict) {BI_ABSENT, pstrdup("no_results"), psprintf("there are no results at %s", bi_bedrock_store_place(call, "out/"))};
	return has_object(refs, manifest_name(chunk)) ? next_turn(MANIFEST) : (BiVerdict) {BI_OK};
}

static BiVerdict
read_page(const BiCall *call, const BiExchange *ex, List **refs)
{
	List	   *names = NIL;
	char	   *token;

	if (call->cursor == NULL)
		*refs = bi_objects_forget(*refs);
	if (!bi_s3_read_list(ex, bi_bedrock_store_place(call, ""), &names, &token))
		return bi_s3_unexpected(ex, "a list of objects");
	if (!bi_objects_add(refs, names))
		return (BiVerdict) {BI_UNCLEAR, pstrdup("too_many_objects"), psprintf("more than %d objects stand at %s", BI_OBJECTS_MAX, bi_bedrock_store_place(call, ""))};
	return token ? next_turn(psprintf(PAGE "%s", token)) : listed(call, *refs);
}

/* How many lines the results have: each record that was processed has one, good or bad. */
static BiVerdict
read_manifest(const BiExchange *ex, List **refs)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	int64		good = bi_json_int(bi_json_at(json, "successRecordCount", NULL), -1);
	int64		bad = bi_json_int(bi_json_at(json, "errorRecordCount", NULL), -1);

	if (good >= 0 && bad >= 0 && good <= PG_INT32_MAX && bad <= PG_INT32_MAX)
		*refs = bi_ref_set(*refs, BI_REF_LINES, psprintf(INT64_FORMAT, good + bad));
	return (BiVerdict) {BI_OK};
}

BiVerdict
bi_bedrock_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);

	if (verdict.kind != BI_OK)
		return verdict;
	return is_cursor(call, MANIFEST) ? read_manifest(ex, refs) : read_page(call, ex, refs);
}

/* Fetch */

bool
bi_bedrock_store_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = result_of(call->chunk, call->chunk->refs, part);

	if (name)
		bi_s3_get(call, bi_bedrock_store_place(call, name), ex);
	return name != NULL;
}

BiVerdict
bi_bedrock_store_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);

	if (verdict.kind == BI_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_s3_unexpected(ex, "a whole results file");
	return verdict;
}

/* Discard */

bool
bi_bedrock_store_discard(const BiCall *call, int i, BiExchange *ex)
{
	const char *name = bi_objects_get(call->chunk->refs, i);

	if (name)
		bi_s3_delete(call, bi_bedrock_store_place(call, name), ex);
	return name != NULL;
}

/* Who may not remove his results may well go on with everything else. */
BiVerdict
bi_bedrock_store_read_discard(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_s3_verdict(call, ex);

	if (bi_s3_has_code(&verdict, "AccessDenied"))
		verdict.kind = BI_REFUSED;
	return verdict;
}
