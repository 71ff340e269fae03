/*
 * provider/gemini_line.c: what a line of results means.
 *
 * Knows whose answer a line is, how it says that its request failed, and the answers of
 * GenerateContent and EmbedContent.  A line may hold anything: whatever is not understood
 * becomes an outcome, never an error.  Called through the routine tables, once a line.
 */
#include "postgres.h"

#include "base/salvage.h"
#include "provider/fingerprint.h"
#include "provider/gapi.h"
#include "provider/gemini.h"
#include "provider/line.h"
#include "provider/wire.h"

static bool
equals(const char *word, const char *other)
{
	return word && strcmp(word, other) == 0;
}

/* Whose answer it is */

/* The echo of what the line of the input asked. */
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
		request = json;			/* the older embeddings' lines are the instance itself */
	return bi_json_type(request) == BI_JSON_OBJECT ? bi_fingerprint_text(request) : NULL;
}

static bool
is_ours(const BiCall *call, const char *id)
{
	return id && strncmp(id, call->chunk->intent, BI_NONCE_LEN) == 0 && id[BI_NONCE_LEN] == '-';
}

/* Where a name may stand, in the order of trust. */
static const struct
{
	const char *channel;
	const char *path[4];
}			names[] =
{
	{"custom_id", {"custom_id"}},
	{"key", {"key"}},
	{"label", {"request", "labels", BI_GEMINI_LABEL}},
	{"label", {"instance", "labels", BI_GEMINI_LABEL}},
};

/* Takes the first name that is ours.  json: the line's tree, or NULL, and then its text is
 * searched.  Returns the first name that is not ours, or NULL. */
static char *
find_name(const BiCall *call, const BiJson *json, const char *line, size_t len, BiAnswer *answer)
{
	char	   *other = NULL;

	for (int i = 0; i < lengthof(names) && answer->custom_id == NULL; i++)
	{
		const char *const *path = names[i].path;
		char	   *id = json ? bi_json_cstring(bi_json_at(json, path[0], path[1], path[2], NULL))
			: bi_salvage_string(line, len, path);

		if (is_ours(call, id))
		{
			answer->custom_id = id;
			answer->channel = names[i].channel;
		}
		else if (other == NULL)
			other = id;
	}
	return other;
}

/*
 * A name beside the request, a label in it, or what it asks.  A name that is not ours counts only
 * where nothing is echoed: then it is told as unknown.
 */
BiJson *
bi_gemini_line_open(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiJson	   *json = bi_line_parse(call, line, len, answer);
	const BiJson *echo = echo_of(json);
	char	   *other = find_name(call, json, line, len, answer);

	if (answer->custom_id == NULL && bi_json_type(echo) == BI_JSON_OBJECT)
	{
		answer->fingerprint = bi_fingerprint_text(echo);
		answer->channel = "content";
	}
	else if (answer->custom_id == NULL)
		answer->custom_id = other;
	if (json == NULL || answer->custom_id || answer->fingerprint)
		return json;
	bi_line_fail(answer, BI_ERRORED, false, "unreadable_line", "the line tells no request");
	return NULL;
}

/* Failures */

/* Words of an HTTP status, as some failures begin with. */
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

/* "INVALID_ARGUMENT: …", "400 INVALID_ARGUMENT …" or words */
static const char *
word_of_text(const char *text)
{
	for (int i = 0; i < lengthof(phrases); i++)
		if (pg_strncasecmp(text, phrases[i].phrase, strlen(phrases[i].phrase)) == 0)
			return phrases[i].word;
	return bi_gapi_find_word(text + strspn(text, "0123456789 "));
}

/* What is not known to be the request's own fault is worth another attempt. */
static bool
is_retryable(const char *word)
{
	return word == NULL || bi_gapi_is_transient(word);
}

static void
read_failure(const BiCall *call, const char *word, const char *message, BiAnswer *answer)
{
	if (!equals(word, "CANCELLED"))
		bi_line_fail(answer, BI_ERRORED, is_retryable(word), word ? word : "request_failed", message);
	else if (equals(call->chunk->batch_end, "expired"))
		bi_line_fail(answer, BI_EXPIRED, true, "batch_expired", message);
	else
		bi_line_fail(answer, BI_CANCELLED_RECORD, false, "batch_cancelled", message);
}

/* An error object, or one that wraps another. */
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

/* Free text, perhaps with an error's JSON behind its words. */
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

/* A count, which may be written as a text; otherwise, where it is none. */
static int64
count_of(const BiJson *json, const char *name, int64 otherwise)
{
	char	   *text = bi_json_cstring(bi_json_at(json, name, NULL));
	size_t		len = text ? strlen(text) : 0;

	return len > 0 && len < 19 && text[strspn(text, "0123456789")] == '\0' ? strtoll(text, NULL, 10) : otherwise;
}

/* Counts of 0 are left out.  Cached tokens are part of the prompt's; thoughts are no part of the
 * candidates', and are paid for as output. */
static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	if (bi_json_type(usage) != BI_JSON_OBJECT)
		return;
	answer->input_tokens = count_of(usage, "promptTokenCount", 0) + count_of(usage, "toolUsePromptTokenCount", 0);
	answer->cached_tokens = count_of(usage, "cachedContentTokenCount", 0);
	answer->output_tokens = count_of(usage, "candidatesTokenCount", 0) + count_of(usage, "thoughtsTokenCount", 0);
}

/* The texts of all parts in one, thoughts left out; calls of functions, if any, are the output
 * instead. */
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
			bi_line_append(&calls, call);
		if (said)
		{
			appendBinaryStringInfo(&text, said, (int) len);
			any = true;
		}
	}
	if (any)
		bi_line_set_text(answer, text.data, text.len);
	bi_line_set_list(answer, &calls);
}

static void
read_candidate(BiAnswer *answer, const BiJson *candidate)
{
	static const char *const good[] = {"STOP", "FINISH_REASON_UNSPECIFIED", NULL};

	answer->finish_reason = bi_wire_json_words(bi_json_at(candidate, "finishReason", NULL), BI_WIRE_CODE);
	read_parts(answer, bi_json_at(candidate, "content", "parts", NULL));
	bi_line_judge(answer, good);
}

static void
read_content(BiAnswer *answer, const BiJson *response)
{
	const BiJson *candidate = bi_json_item(bi_json_at(response, "candidates", NULL), 0);
	char	   *blocked = bi_wire_json_words(bi_json_at(response, "promptFeedback", "blockReason", NULL), BI_WIRE_CODE);

	if (candidate == NULL && blocked)
		bi_line_fail(answer, BI_INVALID_OUTPUT, false, "content_filter", psprintf("the prompt was blocked: %s", blocked));
	else
		read_candidate(answer, candidate);
}

/* Its tokens are told in one place or another. */
static void
read_embedding(const BiCall *call, BiAnswer *answer, const BiJson *response)
{
	const BiJson *embedding = bi_json_at(response, "embedding", NULL);

	if (answer->input_tokens < 0)
		answer->input_tokens = count_of(response, "tokenCount", -1);
	bi_gemini_embedding_read(call, bi_json_at(embedding, "values", NULL), answer);
}

void
bi_gemini_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiJson	   *json = bi_gemini_line_open(call, line, len, answer);
	const BiJson *response = bi_json_at(json, "response", NULL);

	if (json == NULL || bi_gemini_line_failed(call, json, answer))
		return;
	if (bi_json_type(response) != BI_JSON_OBJECT || bi_json_length(response) == 0)
	{
		bi_line_fail(answer, BI_ERRORED, true, "no_response", "the request was not answered");
		return;
	}
	answer->model = bi_wire_json_words(bi_json_at(response, "modelVersion", NULL), BI_WIRE_CODE);
	answer->request_id = bi_wire_json_words(bi_json_at(response, "responseId", NULL), BI_WIRE_CODE);
	read_usage(answer, bi_json_at(response, "usageMetadata", NULL));
	if (call->job->spec.task == BI_TASK_EMBEDDING)
		read_embedding(call, answer, response);
	else
		read_content(answer, response);
}
