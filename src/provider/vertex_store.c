/*
 * provider/vertex_store.c: what a chunk has in Cloud Storage: its input, the results, and how
 * all of it is removed.
 *
 * Each chunk has a folder of its own, PREFIX/batchinf/INTENT/, with input.jsonl in it and
 * out-TRY/prediction-model-TIME/predictions*.jsonl from Vertex AI.  Where the input was put
 * counts, and not where the server's option says now.  Called through the routine table.
 */
#include "postgres.h"

#include "provider/gcs.h"
#include "provider/objects.h"
#include "provider/openai.h"
#include "provider/vertex.h"
#include "provider/wire.h"

#define PAGE_SIZE 1000

/* Cursors of uploads. */
#define STAT "stat"
#define DROP "drop "			/* and the generation */

char *
bi_vertex_store_root(const BiServer *server, const char *name)
{
	return psprintf("%s/batchinf/%s", bi_wire_trimmed(server->storage_url), name);
}

char *
bi_vertex_store_place(const BiCall *call, const char *name)
{
	const char *input = bi_ref_get(call->chunk->refs, BI_VERTEX_INPUT);

	if (input && strrchr(input, '/'))
		return psprintf("%.*s%s", (int) (strrchr(input, '/') + 1 - input), input, name);
	return bi_vertex_store_root(call->server, psprintf("%s/%s", call->chunk->intent, name));
}

char *
bi_vertex_store_results(const BiCall *call)
{
	return bi_vertex_store_place(call, psprintf("out-%d", call->chunk->tries));
}

/* Upload: only where nothing is.  What is there may be this very input, of an upload whose
 * answer was lost, or that of an upload which broke off: the one is fine, the other goes. */

static char *
input_place(const BiCall *call)
{
	return bi_vertex_store_root(call->server, psprintf("%s/input.jsonl", call->chunk->intent));
}

static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return call->cursor && strncmp(call->cursor, cursor, strlen(cursor)) == 0;
}

void
bi_vertex_store_upload(const BiCall *call, BiExchange *ex)
{
	if (is_cursor(call, STAT))
		bi_gcs_stat(call, input_place(call), ex);
	else if (is_cursor(call, DROP))
		bi_gcs_delete(call, input_place(call), call->cursor + strlen(DROP), ex);
	else
		bi_gcs_put(call, input_place(call), ex);
}

/* ex->upload is there for comparison also where it did not travel. */
static BiVerdict
judge_object(const BiCall *call, const BiExchange *ex, List **refs)
{
	bool		same;
	char	   *generation = bi_gcs_read_object(ex, &same);

	if (generation == NULL)
		return bi_openai_reply_unexpected(ex, "an object");
	if (!same)
		return (BiVerdict) {.kind = BI_OK, .next = psprintf(DROP "%s", generation)};
	*refs = bi_ref_set(*refs, BI_VERTEX_INPUT, input_place(call));
	return (BiVerdict) {BI_OK};
}

BiVerdict
bi_vertex_store_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);
	bool		replied = ex->transport == BI_TRANSPORT_REPLIED;

	if (is_cursor(call, DROP) && (verdict.kind == BI_OK || verdict.kind == BI_ABSENT || (replied && ex->status == 412)))
		return (BiVerdict) {BI_UNCLEAR, pstrdup("other_bytes"), pstrdup("what was uploaded were not the bytes of this input: they are removed")};
	if (call->cursor == NULL && replied && ex->status == 412)
		return (BiVerdict) {.kind = BI_OK, .next = pstrdup(STAT)};
	if (verdict.kind == BI_ABSENT && call->cursor == NULL)
		verdict.kind = BI_DENIED;	/* the bucket: a person must act */
	return verdict.kind == BI_OK ? judge_object(call, ex, refs) : verdict;
}

/* Outputs: the folder is listed. */

void
bi_vertex_store_outputs(const BiCall *call, BiExchange *ex)
{
	bi_gcs_list(call, bi_vertex_store_place(call, ""), PAGE_SIZE, call->cursor, ex);
}

/* The folder that has the results, as the job says it, seen from the chunk's; its results
 * stand nowhere else. */
static char *
results_folder(const BiCall *call)
{
	const char *told = bi_ref_get(call->chunk->refs, BI_VERTEX_OUTPUT);
	char	   *home = bi_vertex_store_place(call, "");
	char	   *usual = psprintf("%s/", bi_vertex_store_results(call));

	if (told == NULL || strncmp(told, usual, strlen(usual)) != 0)
		told = usual;
	return psprintf("%s/", bi_wire_trimmed(told + strlen(home)));
}

/* All of its lines stand there once more. */
static bool
is_incremental(const char *name)
{
	for (; name; name = strchr(name, '/') ? strchr(name, '/') + 1 : NULL)
		if (strncmp(name, "incremental_", strlen("incremental_")) == 0)
			return true;
	return false;
}

static bool
is_result(const char *folder, const char *name)
{
	size_t		len = strlen(name);

	return strncmp(name, folder, strlen(folder)) == 0 && !is_incremental(name) &&
		len > strlen(".jsonl") && strcmp(name + len - strlen(".jsonl"), ".jsonl") == 0;
}

/* The i-th result, from 0; NULL: there are no more. */
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

/* The list is whole. */
static BiVerdict
listed(const BiCall *call, const List *refs)
{
	const BiChunk *chunk = call->chunk;
	bool		completed = chunk->batch_end && strcmp(chunk->batch_end, "completed") == 0;

	if (chunk->state != BI_CLEANING && completed && result_of(call, refs, 0) == NULL)
		return (BiVerdict) {BI_ABSENT, pstrdup("no_results"), psprintf("there are no results at %s", bi_vertex_store_results(call))};
	return (BiVerdict) {BI_OK};
}

BiVerdict
bi_vertex_store_read_outputs(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);
	List	   *names = NIL;
	char	   *token;

	if (verdict.kind != BI_OK)
		return verdict;
	if (call->cursor == NULL)
		*refs = bi_objects_forget(*refs);
	if (!bi_gcs_read_list(ex, bi_vertex_store_place(call, ""), &names, &token))
		return bi_openai_reply_unexpected(ex, "a list of objects");
	if (!bi_objects_add(refs, names))
		return (BiVerdict) {BI_UNCLEAR, pstrdup("too_many_objects"), psprintf("more than %d objects stand at %s", BI_OBJECTS_MAX, bi_vertex_store_place(call, ""))};
	if (token)
		return (BiVerdict) {.kind = BI_OK, .next = token};
	return listed(call, *refs);
}

/* Fetch, discard */

bool
bi_vertex_store_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = result_of(call, call->chunk->refs, part);

	if (name)
		bi_gcs_get(call, bi_vertex_store_place(call, name), ex);
	return name != NULL;
}

bool
bi_vertex_store_discard(const BiCall *call, int i, BiExchange *ex)
{
	const char *name = bi_objects_get(call->chunk->refs, i);

	if (name)
		bi_gcs_delete(call, bi_vertex_store_place(call, name), NULL, ex);
	return name != NULL;
}
