/*
 * provider/report.c: what all providers do alike with batches and lists of them.
 *
 * Knows the order of the questions and no API's shapes: each family brings its verdict on the
 * reply and its reader of the body.
 */
#include "postgres.h"

#include "provider/report.h"
#include "provider/wire.h"

/* Replies */

BiVerdict
bi_report_take(BiVerdict verdict, const BiExchange *ex, BiBatchReader read, const char *wanted,
			   BiBatchReport *batch)
{
	memset(batch, 0, sizeof(BiBatchReport));
	if (verdict.kind == BI_VERDICT_OK && (!read(bi_wire_body(ex), batch) || batch->id == NULL))
		return bi_verdict_unexpected(ex, wanted);
	return verdict;
}

BiVerdict
bi_report_take_own(BiVerdict verdict, const BiExchange *ex, BiBatchReader read, const char *id,
				   const char *wanted, BiBatchReport *batch)
{
	verdict = bi_report_take(verdict, ex, read, wanted, batch);
	if (verdict.kind == BI_VERDICT_OK && strcmp(batch->id, id) != 0)
		return bi_verdict_unexpected(ex, wanted);
	return verdict;
}

BiVerdict
bi_report_take_page(BiVerdict verdict, const BiCall *call, const BiExchange *ex, BiPageReader read,
					const char *parameter, const char *wanted, BiFound *found)
{
	memset(found, 0, sizeof(BiFound));
	if (verdict.kind == BI_VERDICT_OK && !read(call, bi_wire_body(ex), found))
		return bi_verdict_unexpected(ex, wanted);
	if (found->cursor && bi_wire_has_parameter(ex->url, parameter, found->cursor))
		found->cursor = NULL;
	return verdict;
}

/* States */

BiBatchState
bi_report_state(const BiStateWord *words, const char *text,
				bool (*equals) (const char *text, const char *word))
{
	for (; words->word; words++)
		if (equals(text, words->word))
			return words->state;
	return BI_BATCH_WAITING;
}

/* Lists */

bool
bi_report_read_ids(const BiJson *list, char *(*id_of) (const BiJson *entry), List **ids)
{
	*ids = NIL;
	for (int i = 0; i < bi_json_length(list); i++)
	{
		char	   *id = id_of(bi_json_item(list, i));

		if (id == NULL)
			return false;
		*ids = lappend(*ids, id);
	}
	return bi_json_type(list) == BI_JSON_ARRAY;
}

bool
bi_report_read_token(const BiJson *token, BiFound *found)
{
	char	   *cursor = bi_json_cstring(token);

	found->complete = token == NULL || (cursor && *cursor == '\0');
	found->cursor = found->complete ? NULL : cursor;
	return token == NULL || cursor != NULL;
}
