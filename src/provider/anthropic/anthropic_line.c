/*
 * provider/anthropic/anthropic_line.c: what a line of a results file means.
 *
 * Knows the results of a message batch; the messages in them are shape/claude_answer.c's.  A line
 * may hold anything: what is not understood becomes an outcome, never an error.
 *
 * Decided here: a custom id counts even in a line that is cut, for an answer may be longer than
 * what peek looks at.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/answer.h"
#include "provider/anthropic/anthropic_line.h"
#include "provider/shape/claude_answer.h"
#include "provider/words.h"

static void
read_result(BiAnswer *answer, const BiJson *result)
{
	const char *type = bi_json_string(bi_json_at(result, "type", NULL), NULL);
	const BiJson *message = bi_json_at(result, "message", NULL);

	if (bi_words_equal(type, "errored"))
		bi_claude_answer_fail(answer, bi_json_at(result, "error", NULL));
	else if (bi_words_equal(type, "canceled"))
		bi_answer_fail(answer, BI_OUTCOME_CANCELLED, false, "batch_cancelled",
					   "the batch was cancelled before this request was done");
	else if (bi_words_equal(type, "expired"))
		bi_answer_fail(answer, BI_OUTCOME_EXPIRED, true, "batch_expired",
					   "the batch expired before this request was done");
	else if (bi_json_type(message) == BI_JSON_OBJECT)
		bi_claude_answer_read(answer, message); /* of any type: it is paid for */
	else
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, true, "unknown_result",
					   "the line has no result that is known");
}

void
bi_anthropic_line_read(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiJson	   *json = bi_answer_read(call, text, len, "custom_id", line);

	if (json)
		read_result(&line->answer, bi_json_at(json, "result", NULL));
}

/* Whose results */

bool
bi_anthropic_line_peek(const BiChunk *chunk, const char *text, size_t len, bool *ours)
{
	static const char *const path[] = {"custom_id", NULL};
	const char *end = text + len;
	const char *stop;
	char	   *id;

	while (text < end && strchr(" \t\r\n", *text) && *text)
		text++;
	stop = memchr(text, '\n', end - text);
	id = bi_salvage_string(text, (stop ? stop : end) - text, path);
	*ours = id && strncmp(id, chunk->intent, BI_NONCE_LEN) == 0 && id[BI_NONCE_LEN] == '-';
	return id != NULL;
}
