/*
 * provider/openai_batch.c: batch objects and lists of them.
 *
 * Knows what a batch looks like at OpenAI and its relatives, where any member may be
 * null, missing or of a wrong type, and how ours is told from others.  Knows no HTTP.
 * Called by openai.c.
 */
#include "postgres.h"

#include "provider/openai.h"
#include "provider/wire.h"

/* Are they the same word?  Some write IN_PROGRESS, some InProgress. */
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
	static const struct
	{
		const char *word;
		BiBatchState state;
	}			words[] =
	{
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
	};

	for (int i = 0; i < lengthof(words); i++)
		if (is_word(status, words[i].word))
			return words[i].state;
	return BI_BATCH_WAITING;
}

static List *
add_ref(List *refs, const char *name, const BiJson *id)
{
	BiRef	   *ref;
	char	   *value = bi_openai_reply_id(id);

	if (value == NULL)
		return refs;
	ref = palloc(sizeof(BiRef));
	ref->name = pstrdup(name);
	ref->value = value;
	return lappend(refs, ref);
}

/* Our lines differ in id and input only: what is wrong with the rest of one is wrong with all. */
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
	for (int i = 0; bi_json_type(errors) == BI_JSON_ARRAY && i < bi_json_length(errors) && i < 1000; i++)
		faults = lappend(faults, read_fault(bi_json_item(errors, i)));
	return faults;
}

/* A message about a line may quote it, so only its code counts. */
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
bi_openai_batch_read(const BiJson *json, BiBatch *batch)
{
	char	   *status = bi_json_cstring(bi_json_at(json, "status", NULL));

	memset(batch, 0, sizeof(BiBatch));
	if (status == NULL || !bi_openai_reply_is_a(json, "batch"))
		return false;
	batch->state = parse_status(status);
	batch->id = bi_openai_reply_id(bi_json_at(json, "id", NULL));
	batch->faults = read_faults(bi_json_at(json, "errors", NULL));
	batch->deferred = batch->state == BI_BATCH_FAILED && are_transient(batch->faults);
	/* Azure gives files to what never ran: they must not pass for those of the next try */
	if (!batch->deferred)
	{
		batch->refs = add_ref(NIL, BI_OPENAI_OUTPUT, bi_json_at(json, "output_file_id", NULL));
		batch->refs = add_ref(batch->refs, BI_OPENAI_ERROR, bi_json_at(json, "error_file_id", NULL));
	}
	batch->completed = bi_json_int(bi_json_at(json, "request_counts", "completed", NULL), -1);
	batch->failed = bi_json_int(bi_json_at(json, "request_counts", "failed", NULL), -1);
	return true;
}

/* Is word one of the words in list, which has spaces between? */
static bool
is_listed(const char *list, const char *word)
{
	size_t		len = strlen(word);

	for (; list && *list; list += strspn(list, " "))
	{
		size_t		size = strcspn(list, " ");

		if (size == len && memcmp(list, word, len) == 0)
			return true;
		list += size;
	}
	return false;
}

/*
 * Is it the batch of the chunk's last create call?  By its metadata; where the server
 * kept none, by the input file, which no other chunk has, but which earlier tries of this
 * chunk share: those that are known to be dead are left out.
 */
static bool
is_ours(const BiChunk *chunk, const BiJson *batch, const char *id)
{
	const BiJson *metadata = bi_json_at(batch, "metadata", NULL);
	char	   *intent = bi_json_cstring(bi_json_at(metadata, BI_OPENAI_INTENT, NULL));
	char	   *try = bi_json_cstring(bi_json_at(metadata, BI_OPENAI_TRY, NULL));
	char	   *file = bi_json_cstring(bi_json_at(batch, "input_file_id", NULL));
	const char *ours = bi_ref_get(chunk->refs, BI_OPENAI_INPUT);

	if (intent && strcmp(intent, chunk->intent) != 0)
		return false;
	if (intent && try)
		return strcmp(try, psprintf("%d", chunk->tries)) == 0;
	return file && ours && strcmp(file, ours) == 0 && !is_listed(bi_ref_get(chunk->refs, BI_OPENAI_DEAD), id);
}

/* The list itself: in "data", at Azure's older versions in "value", or bare. */
static const BiJson *
entries_of(const BiJson *json)
{
	if (bi_json_type(json) == BI_JSON_ARRAY)
		return json;
	return bi_json_at(json, "data", NULL) ? bi_json_at(json, "data", NULL) : bi_json_at(json, "value", NULL);
}

/* Where the list goes on: OpenAI tells whether there is more, Groq gives a word for the next
 * page; who tells nothing is asked until a page is empty. */
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
		found->cursor = bi_openai_request_word_cursor(next);
	else if (word == NULL)
		found->cursor = unconstify(char *, last);
}

bool
bi_openai_batch_find(const BiCall *call, const BiJson *json, BiFound *found)
{
	const BiJson *data = entries_of(json);
	int			length = bi_json_length(data);
	char	   *last = NULL;

	memset(found, 0, sizeof(BiFound));
	if (bi_json_type(data) != BI_JSON_ARRAY)
		return false;
	for (int i = 0; i < length; i++)
	{
		const BiJson *batch = bi_json_item(data, i);

		last = bi_openai_reply_id(bi_json_at(batch, "id", NULL));
		if (last == NULL)
			return false;		/* it might be ours: no "there is none" after this */
		if (found->batch_id == NULL && is_ours(call->chunk, batch, last))
			found->batch_id = last;
	}
	if (found->batch_id)
		return true;
	read_cursor(json, last, found);
	/* without the input's id the servers that keep no metadata cannot be searched */
	found->complete = found->complete && bi_ref_get(call->chunk->refs, BI_OPENAI_INPUT) != NULL;
	return true;
}
