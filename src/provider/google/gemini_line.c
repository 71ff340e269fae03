/*
 * provider/google/gemini_line.c: what a line of Gemini's results means.
 *
 * Knows whose answer a line is, how it says that its request failed, and the answers of
 * GenerateContent and EmbedContent.  A line may hold anything: whatever is not understood becomes
 * an outcome, never an error.
 *
 * Decided here:
 * - Vertex AI has no id for a request of Gemini's, and results come in any order; but it echoes the
 *   request (source: BerriAI/litellm#14044).  So the id is a label, "rid", which comes back in the
 *   echo.  A "key" is documented for embeddings only (docs.cloud.google.com, "Batch embeddings").
 *   If neither is there, the echo itself is compared (fingerprint.c).
 * - A line with a status or an error failed, whatever else it has.  A line with neither a failure
 *   nor a response was not answered, and is worth another attempt.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/answer.h"
#include "provider/google/fingerprint.h"
#include "provider/google/gapi.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_line.h"
#include "provider/google/gemini_spec.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Whose answer it is */

/* Returns the request that the line echoes, or NULL. */
static const BiJson *
echo_of(const BiJson *line)
{
	const BiJson *request = bi_json_at(line, "request", NULL);

	return request ? request : bi_json_at(line, "instance", NULL);
}

char *
bi_gemini_line_fingerprint(const BiCall *call, const char *line, size_t len)
{
	BiJson	   *json = bi_json_parse(line, len);
	const BiJson *request = echo_of(json);

	if (request == NULL)
		request = json;			/* a line of the older embeddings is the instance itself */
	return bi_json_type(request) == BI_JSON_OBJECT ? bi_fingerprint_text(request) : NULL;
}

/* True if the id is one of this chunk's requests. */
static bool
is_ours(const BiCall *call, const char *id)
{
	return id && strncmp(id, call->chunk->intent, BI_NONCE_LEN) == 0 && id[BI_NONCE_LEN] == '-';
}

/* Where a name may stand, in the order of trust. */
static const struct
{
	const char *channel;		/* BiResultLine.channel for it */
	const char *path[4];		/* the members that lead to it, up to a NULL */
}			names[] =
{
	{"custom_id", {"custom_id"}},
	{"key", {"key"}},
	{"label", {"request", "labels", BI_GEMINI_LABEL}},
	{"label", {"instance", "labels", BI_GEMINI_LABEL}},
};

/* Sets the line's id to the first name that is ours.  json is the line's tree; if it is NULL, the
 * text is searched.  Returns the first name that is not ours, or NULL. */
static char *
find_name(const BiCall *call, const BiJson *json, const char *text, size_t len, BiResultLine *line)
{
	char	   *other = NULL;

	for (int i = 0; i < lengthof(names) && line->custom_id == NULL; i++)
	{
		const char *const *path = names[i].path;
		char	   *id = json ? bi_json_cstring(bi_json_at(json, path[0], path[1], path[2], NULL))
			: bi_salvage_string(text, len, path);

		if (is_ours(call, id))
		{
			line->custom_id = id;
			line->channel = names[i].channel;
		}
		else if (other == NULL)
			other = id;
	}
	return other;
}

/*
 * The id is a name beside the request, a label in it, or the echo itself.  A name that is not ours
 * counts only if nothing is echoed; the line is then reported as unknown.
 */
BiJson *
bi_gemini_line_open(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiJson	   *json = bi_answer_parse(call, text, len, line);
	const BiJson *echo = echo_of(json);
	char	   *other = find_name(call, json, text, len, line);

	if (line->custom_id == NULL && bi_json_type(echo) == BI_JSON_OBJECT)
	{
		line->fingerprint = bi_fingerprint_text(echo);
		line->channel = "content";
	}
	else if (line->custom_id == NULL)
		line->custom_id = other;
	if (json == NULL || line->custom_id || line->fingerprint)
		return json;
	bi_answer_fail(&line->answer, BI_OUTCOME_ERRORED, false, "unreadable_line",
				   "the line does not say whose answer it is");
	return NULL;
}

/* Failures */

/* The words of an HTTP status with which some failures begin. */
static const struct
{
	const char *phrase;
	const char *word;
}			phrases[] =
{
	{"Bad Request", "INVALID_ARGUMENT"},
	{"Unauthorized", "UNAUTHENTICATED"},
	{"Forbidden", "PERMISSION_DENIED"},
	{"Not Found", "NOT_FOUND"},
	{"Too Many Requests", "RESOURCE_EXHAUSTED"},
	{"Cancelled", "CANCELLED"},
	{"Canceled", "CANCELLED"},
};

/* Returns the word of a failure's text: "INVALID_ARGUMENT: …", "400 INVALID_ARGUMENT …", or the
 * words of a status.  NULL if it has none. */
static const char *
word_of_text(const char *text)
{
	for (int i = 0; i < lengthof(phrases); i++)
		if (pg_strncasecmp(text, phrases[i].phrase, strlen(phrases[i].phrase)) == 0)
			return phrases[i].word;
	return bi_gapi_find_word(text + strspn(text, "0123456789 "));
}

/* True if another attempt may succeed.  What is not known to be the request's own fault may. */
static bool
is_retryable(const char *word)
{
	return word == NULL || bi_gapi_is_transient(word);
}

/* Makes the answer a failure with this word, which may be NULL.  CANCELLED is what the batch's end
 * says. */
static void
read_failure(const BiCall *call, const char *word, const char *message, BiAnswer *answer)
{
	if (!bi_words_equal(word, "CANCELLED"))
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, is_retryable(word),
					   word ? word : "request_failed", message);
	else if (call->chunk->batch->end == BI_BATCH_END_EXPIRED)
		bi_answer_fail(answer, BI_OUTCOME_EXPIRED, true, "batch_expired", message);
	else
		bi_answer_fail(answer, BI_OUTCOME_CANCELLED, false, "batch_cancelled", message);
}

/* Reads an error object, or one that wraps another.  otherwise is the message if it has none. */
static void
read_error(const BiCall *call, const BiJson *error, const char *otherwise, BiAnswer *answer)
{
	const BiJson *inner = bi_json_at(error, "error", NULL);
	const char *word = bi_gapi_word(error);
	char	   *message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);

	if (word == NULL)
		word = bi_gapi_word(inner);
	if (message == NULL)
		message = bi_wire_json_words(bi_json_at(inner, "message", NULL), BI_WIRE_MESSAGE);
	read_failure(call, word, message ? message : otherwise, answer);
}

/* Reads a failure that is free text, perhaps with an error object in it. */
static void
read_status(const BiCall *call, const char *status, BiAnswer *answer)
{
	const char *brace = strchr(status, '{');
	BiJson	   *json = brace ? bi_json_parse(brace, strlen(brace)) : NULL;
	const BiJson *error = bi_json_at(json, "error", NULL) ? bi_json_at(json, "error", NULL) : json;
	char	   *words = bi_wire_words(status, strlen(status), BI_WIRE_MESSAGE);

	if (bi_gapi_word(error))
		read_error(call, error, words, answer);
	else
		read_failure(call, word_of_text(status), words, answer);
}

bool
bi_gemini_line_failed(const BiCall *call, const BiJson *line, BiAnswer *answer)
{
	const BiJson *error = bi_json_at(line, "error", NULL);
	const BiJson *status = bi_json_at(line, "status", NULL);
	const BiJson *places[] = {status, error};

	for (int i = 0; i < lengthof(places); i++)
	{
		char	   *text = bi_json_cstring(places[i]);

		if (text && *text)
			read_status(call, text, answer);
		else if (bi_json_type(places[i]) == BI_JSON_OBJECT && bi_json_length(places[i]) > 0)
			read_error(call, places[i], "the line says no more", answer);
		else
			continue;
		return true;
	}
	return false;
}

/* Answers */

/* Returns a count of tokens; otherwise if it is missing or not a count. */
static int64
count_of(const BiJson *json, const char *name, int64 otherwise)
{
	return bi_gapi_count(bi_json_at(json, name, NULL), 18, otherwise);
}

/*
 * Reads what the answer cost.  Input is the prompt and what tools put into it; cached tokens are
 * part of the prompt's.  Output is the candidates and the thoughts, which are not part of the
 * candidates' and are paid for as output.  A count that is left out is 0.  (Source: npm
 * @google/genai, GenerateContentResponseUsageMetadata, 2026-11.)
 */
static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	if (bi_json_type(usage) != BI_JSON_OBJECT)
		return;
	answer->input_tokens = count_of(usage, "promptTokenCount", 0) +
		count_of(usage, "toolUsePromptTokenCount", 0);
	answer->cached_tokens = count_of(usage, "cachedContentTokenCount", 0);
	answer->output_tokens = count_of(usage, "candidatesTokenCount", 0) +
		count_of(usage, "thoughtsTokenCount", 0);
}

/* Sets the output to the calls of functions, as a JSON array, if there are any; otherwise to the
 * texts of all parts in one, without thoughts. */
static void
read_parts(BiAnswer *answer, const BiJson *parts)
{
	StringInfoData text;
	StringInfoData calls;
	bool		any = false;

	initStringInfo(&text);
	initStringInfo(&calls);
	for (int i = 0; bi_json_type(parts) == BI_JSON_ARRAY && i < bi_json_length(parts); i++)
	{
		const BiJson *part = bi_json_item(parts, i);
		const BiJson *call = bi_json_at(part, "functionCall", NULL);
		size_t		len;
		const char *said = bi_json_string(bi_json_at(part, "text", NULL), &len);

		if (bi_json_bool(bi_json_at(part, "thought", NULL), false))
			continue;
		if (call)
			bi_answer_append(&calls, call);
		if (said)
		{
			appendBinaryStringInfo(&text, said, (int) len);
			any = true;
		}
	}
	if (any)
		bi_answer_set_text(answer, text.data, text.len);
	bi_answer_set_list(answer, &calls);
}

/* Reads the only candidate of an answer. */
static void
read_candidate(BiAnswer *answer, const BiJson *candidate)
{
	static const char *const good[] = {"STOP", "FINISH_REASON_UNSPECIFIED", NULL};

	answer->finish_reason = bi_wire_json_words(bi_json_at(candidate, "finishReason", NULL),
											   BI_WIRE_CODE);
	read_parts(answer, bi_json_at(candidate, "content", "parts", NULL));
	bi_answer_judge(answer, good);
}

/* Reads the answer of a model that makes text.  A prompt that was blocked has no candidate. */
static void
read_content(BiAnswer *answer, const BiJson *response)
{
	const BiJson *candidate = bi_json_item(bi_json_at(response, "candidates", NULL), 0);
	const BiJson *reason = bi_json_at(response, "promptFeedback", "blockReason", NULL);
	char	   *blocked = bi_wire_json_words(reason, BI_WIRE_CODE);

	if (candidate == NULL && blocked)
		bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, "content_filter",
					   psprintf("the prompt was blocked: %s", blocked));
	else
		read_candidate(answer, candidate);
}

/* Reads the answer of an embedding model, whose tokens stand in one place or another. */
static void
read_embedding(const BiCall *call, BiAnswer *answer, const BiJson *response)
{
	const BiJson *embedding = bi_json_at(response, "embedding", NULL);

	if (answer->input_tokens < 0)
		answer->input_tokens = count_of(response, "tokenCount", -1);
	bi_gemini_embedding_read(call, bi_json_at(embedding, "values", NULL), answer);
}

void
bi_gemini_line_answer(const BiCall *call, const BiJson *response, BiAnswer *answer)
{
	answer->model = bi_wire_json_words(bi_json_at(response, "modelVersion", NULL), BI_WIRE_CODE);
	answer->request_id = bi_wire_json_words(bi_json_at(response, "responseId", NULL), BI_WIRE_CODE);
	read_usage(answer, bi_json_at(response, "usageMetadata", NULL));
	if (call->job->spec.task == BI_TASK_EMBEDDING)
		read_embedding(call, answer, response);
	else
		read_content(answer, response);
}

BiVerdict
bi_gemini_line_reply(const BiCall *call, const BiExchange *ex, BiVerdict verdict,
					 BiResultLine *line)
{
	static const char *const signs[] = {"candidates", "promptFeedback", "embedding"};
	BiJson	   *body = bi_answer_open(call, ex, &verdict, line);
	bool		known = false;

	for (int i = 0; i < lengthof(signs); i++)
		known = known || bi_json_at(body, signs[i], NULL);
	if (body && !known)
		return bi_verdict_unexpected(ex, "an answer");
	if (body)
		bi_gemini_line_answer(call, body, &line->answer);
	return verdict;
}

void
bi_gemini_line_read(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiAnswer   *answer = &line->answer;
	BiJson	   *json = bi_gemini_line_open(call, text, len, line);
	const BiJson *response = bi_json_at(json, "response", NULL);

	if (json == NULL || bi_gemini_line_failed(call, json, answer))
		return;
	if (bi_json_type(response) != BI_JSON_OBJECT || bi_json_length(response) == 0)
	{
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, true, "no_response",
					   "the request was not answered");
		return;
	}
	bi_gemini_line_answer(call, response, answer);
}
