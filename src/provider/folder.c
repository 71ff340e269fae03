/*
 * provider/folder.c: a chunk's folder in an object store.
 *
 * Knows where a chunk's objects are, and how the engine remembers them.  Knows no store: requests
 * and replies are those of s3.c and gcs.c.
 */
#include "postgres.h"

#include "provider/folder.h"
#include "provider/objects.h"
#include "provider/verdict.h"
#include "provider/wire.h"

#define INPUT "input.jsonl"

char *
bi_folder_root(const BiServer *server, const char *name)
{
	return psprintf("%s/batchinf/%s", bi_wire_trimmed(server->storage_url), name);
}

char *
bi_folder_input(const BiCall *call)
{
	return bi_folder_root(call->server, psprintf("%s/" INPUT, call->chunk->intent));
}

char *
bi_folder_place(const BiCall *call, const char *name)
{
	const char *input = bi_ref_get(call->chunk->batch->refs, BI_FOLDER_INPUT);
	const char *slash = input ? strrchr(input, '/') : NULL;

	if (slash)
		return psprintf("%.*s%s", (int) (slash + 1 - input), input, name);
	return bi_folder_root(call->server, psprintf("%s/%s", call->chunk->intent, name));
}

BiVerdict
bi_folder_take_page(const BiCall *call, const BiExchange *ex, BiFolderReader read, List **refs,
					char **token)
{
	char	   *place = bi_folder_place(call, "");
	List	   *names = NIL;

	if (call->cursor == NULL)
		*refs = bi_objects_forget(*refs);
	if (!read(ex, place, &names, token))
		return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "unexpected_reply",
							   psprintf("HTTP status %d with a body that is not a list of objects",
										ex->status));
	if (!bi_objects_add(refs, names))
		return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "too_many_objects",
							   psprintf("more than %d objects stand at %s", BI_OBJECTS_MAX, place));
	return (BiVerdict) {BI_VERDICT_OK};
}

BiVerdict
bi_folder_no_results(const BiExchange *ex, const char *place)
{
	return bi_verdict_make(ex, BI_VERDICT_ABSENT, "no_results",
						   psprintf("there are no results at %s", place));
}
