/*
 * provider/openai/openai_batch.c: batch objects and lists of them, as OpenAI and its relatives
 * have them.
 *
 * Knows what a batch looks like, where any member may be null, missing or of a wrong type, and how
 * the batch of a create call is found whose reply was lost.  No requests.
 *
 * Decided here:
 * - OpenAI does not promise an order of its list, so pages are read to the end, and no page is
 *   left out for its age.  Only the whole list proves that ours is not there.
 * - A batch that failed is deferred only if every fault is one of load, quota or money.  The words
 *   of a fault about a line do not count, because they may quote it.
 * - Servers like OpenAI's: states in any case and with "_", "-", a space or nothing between the
 *   words; errors as an object, a list or a text; lists in "data", "value" (older versions of
 *   Azure) or bare, which go on by has_more, by paging.next_cursor (Groq) or until a page is
 *   empty.
 * - A batch that failed for now hands on no files: the next one of the same input has its own.
 */
#include "postgres.h"

#include "provider/openai/openai_batch.h"
#include "provider/openai/openai_reply.h"
#include "provider/report.h"
#include "provider/wire.h"
#include "provider/words.h"

bool
bi_openai_batch_is_a(const BiJson *json, const char *object)
{
	const BiJson *said = bi_json_at(json, "object", NULL);
	const char *word = bi_json_string(said, NULL);

	return bi_json_type(json) == BI_JSON_OBJECT &&
		(said == NULL || (word && pg_strcasecmp(word, object) == 0));
}

/* True if text is that word, however it is written: IN_PROGRESS, InProgress, in-progress. */
static bool
is_word(const char *text, const char *word)
{
	for (;; text++, word++)
	{
		text += strspn(text, "_- ");
		word += strspn(word, "_");
		if (pg_ascii_tolower((unsigned char) *text) != (unsigned char) *word)
			return false;
		if (*text == '\0')
			return true;
	}
}

static BiBatchState
parse_status(const char *status)
{
	static const BiStateWord words[] = {
		{"in_progress", BI_BATCH_RUNNING},
		{"running", BI_BATCH_RUNNING},
		{"finalizing", BI_BATCH_RUNNING},
		{"cancelling", BI_BATCH_RUNNING},
		{"canceling", BI_BATCH_RUNNING},
		{"completed", BI_BATCH_COMPLETED},
		{"succeeded", BI_BATCH_COMPLETED},
		{"success", BI_BATCH_COMPLETED},
		{"failed", BI_BATCH_FAILED},
		{"expired", BI_BATCH_EXPIRED},
		{"timeout_exceeded", BI_BATCH_EXPIRED},
		{"cancelled", BI_BATCH_CANCELLED},
		{"canceled", BI_BATCH_CANCELLED},
		{NULL}
	};

	return bi_report_state(words, status, is_word);
}

static List *
add_ref(List *refs, const char *name, const BiJson *id)
{
	BiRef	   *ref;
	char	   *value = bi_wire_id(id);

	if (value == NULL)
		return refs;
	ref = palloc(sizeof(BiRef));
	ref->name = pstrdup(name);
	ref->value = value;
	return lappend(refs, ref);
}

/* True if the fault is in what all lines of a chunk have alike: they differ in id and input
 * only. */
static bool
is_of_all_lines(const char *code)
{
	static const char *const codes[] = {"model_not_found", "url_mismatch", "invalid_method"};

	for (int i = 0; i < lengthof(codes); i++)
		if (pg_strcasecmp(code, codes[i]) == 0)
			return true;
	return false;
}

static BiFault *
read_fault(const BiJson *json)
{
	BiFault    *fault = palloc0(sizeof(BiFault));

	fault->code = bi_wire_json_words(bi_json_at(json, "code", NULL), BI_WIRE_CODE);
	fault->message = bi_wire_json_words(bi_json_at(json, "message", NULL), BI_WIRE_MESSAGE);
	if (fault->message == NULL)
		fault->message = bi_wire_json_words(json, BI_WIRE_MESSAGE);
	fault->line = Max(bi_json_int(bi_json_at(json, "line", NULL), 0), 0);
	if (fault->code == NULL)
		fault->code = pstrdup("unknown");
	if (is_of_all_lines(fault->code))
		fault->line = 0;
	if (fault->message == NULL)
		fault->message = pstrdup("no message");
	return fault;
}

/* "errors" is null, {"data":[…]}, a bare array or a string.  A thousand are enough. */
static List *
read_faults(const BiJson *errors)
{
	List	   *faults = NIL;

	if (bi_json_type(errors) == BI_JSON_OBJECT && bi_json_get(errors, "data"))
		errors = bi_json_at(errors, "data", NULL);
	if (bi_json_type(errors) == BI_JSON_STRING || bi_json_type(errors) == BI_JSON_OBJECT)
		return list_make1(read_fault(errors));
	for (int i = 0; bi_json_type(errors) == BI_JSON_ARRAY && i < bi_json_length(errors) &&
		 i < 1000; i++)
		faults = lappend(faults, read_fault(bi_json_item(errors, i)));
	return faults;
}

/* True if all faults are about load, quota or money. */
static bool
are_transient(const List *faults)
{
	ListCell   *lc;

	foreach(lc, faults)
	{
		const BiFault *fault = lfirst(lc);

		if (!bi_openai_reply_is_transient(fault->code, fault->line > 0 ? NULL : fault->message))
			return false;
	}
	return faults != NIL;
}

bool
bi_openai_batch_read(const BiJson *json, BiBatchReport *batch)
{
	char	   *status = bi_json_cstring(bi_json_at(json, "status", NULL));

	memset(batch, 0, sizeof(BiBatchReport));
	if (status == NULL || !bi_openai_batch_is_a(json, "batch"))
		return false;
	batch->state = parse_status(status);
	batch->id = bi_wire_id(bi_json_at(json, "id", NULL));
	batch->faults = read_faults(bi_json_at(json, "errors", NULL));
	batch->deferred = batch->state == BI_BATCH_FAILED && are_transient(batch->faults);
	/* Azure names files of what never ran: they must not pass for those of the next try. */
	if (!batch->deferred)
	{
		batch->refs = add_ref(NIL, BI_OPENAI_OUTPUT, bi_json_at(json, "output_file_id", NULL));
		batch->refs =
			add_ref(batch->refs, BI_OPENAI_ERROR, bi_json_at(json, "error_file_id", NULL));
	}
	batch->completed = bi_json_int(bi_json_at(json, "request_counts", "completed", NULL), -1);
	batch->failed = bi_json_int(bi_json_at(json, "request_counts", "failed", NULL), -1);
	return true;
}

/*
 * True if it is the batch of the chunk's last create call: by its metadata, or, if the server kept
 * none, by the input file.  No other chunk has that file, but earlier tries of this chunk share it:
 * the batches that nobody follows any more are left out.
 */
static bool
is_ours(const BiChunk *chunk, const BiJson *batch, const char *id)
{
	const BiJson *metadata = bi_json_at(batch, "metadata", NULL);
	char	   *intent = bi_json_cstring(bi_json_at(metadata, BI_OPENAI_INTENT, NULL));
	char	   *try = bi_json_cstring(bi_json_at(metadata, BI_OPENAI_TRY, NULL));
	char	   *file = bi_json_cstring(bi_json_at(batch, "input_file_id", NULL));
	const char *ours = bi_ref_get(chunk->batch->refs, BI_OPENAI_INPUT);

	if (intent && strcmp(intent, chunk->intent) != 0)
		return false;
	if (intent && try)
		return strcmp(try, psprintf("%d", chunk->batch->try)) == 0;
	return file && ours && strcmp(file, ours) == 0 && !bi_batch_is_buried(chunk->batch, id);
}

static char *
id_of(const BiJson *batch)
{
	return bi_wire_id(bi_json_at(batch, "id", NULL));
}

/* Returns the list itself. */
static const BiJson *
entries_of(const BiJson *json)
{
	if (bi_json_type(json) == BI_JSON_ARRAY)
		return json;
	return bi_json_at(json, "data", NULL) ? bi_json_at(json, "data", NULL)
		: bi_json_at(json, "value", NULL);
}

/* Sets where the list goes on.  last is the id of the page's last batch, or NULL. */
static void
read_cursor(const BiJson *json, const char *last, BiFound *found)
{
	const BiJson *more = bi_json_at(json, "has_more", NULL);
	const BiJson *paging = bi_json_at(json, "paging", NULL);
	const BiJson *word = bi_json_at(paging, "next_cursor", NULL);
	char	   *next = bi_json_cstring(word);

	if (bi_json_type(more) == BI_JSON_BOOL)
		found->complete = !bi_json_bool(more, true);
	else
		found->complete = paging ? word == NULL || (next && *next == '\0') : last == NULL;
	if (found->complete)
		return;
	if (next && *next)
		found->cursor = psprintf(BI_OPENAI_WORD "%s", next);
	else if (word == NULL)
		found->cursor = unconstify(char *, last);
}

bool
bi_openai_batch_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *data = entries_of(json);
	List	   *ids;

	memset(found, 0, sizeof(BiFound));
	if (!bi_report_read_ids(data, id_of, &ids))
		return false;
	for (int i = 0; found->batch_id == NULL && i < list_length(ids); i++)
		if (is_ours(call->chunk, bi_json_item(data, i), list_nth(ids, i)))
			found->batch_id = list_nth(ids, i);
	if (found->batch_id)
		return true;
	read_cursor(json, ids ? llast(ids) : NULL, found);
	/* Without the input's id, servers that keep no metadata cannot be searched. */
	found->complete = found->complete &&
		bi_ref_get(call->chunk->batch->refs, BI_OPENAI_INPUT) != NULL;
	return true;
}
