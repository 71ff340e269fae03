/*
 * provider/gapi.c: what replies of Google's APIs mean.
 *
 * Knows status codes and error bodies in both of their shapes (Cloud Storage has one of its
 * own), where any member may be null, missing or of a wrong type.  Knows no request.  Called
 * by vertex*.c, gcs.c and gemini*.c.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/openai.h"
#include "provider/wire.h"

/* The longest that a reply may make a server wait. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* google.rpc.Code: the index is the number.  http: the status that means it, 0: none. */
static const struct
{
	const char *word;
	int			http;
	bool		transient;
}			codes[] =
{
	{"OK", 200, false},
	{"CANCELLED", 499, false},
	{"UNKNOWN", 0, true},
	{"INVALID_ARGUMENT", 400, false},
	{"DEADLINE_EXCEEDED", 504, true},
	{"NOT_FOUND", 404, false},
	{"ALREADY_EXISTS", 0, false},
	{"PERMISSION_DENIED", 403, false},
	{"RESOURCE_EXHAUSTED", 429, true},
	{"FAILED_PRECONDITION", 400, false},
	{"ABORTED", 409, true},
	{"OUT_OF_RANGE", 400, false},
	{"UNIMPLEMENTED", 501, false},
	{"INTERNAL", 500, true},
	{"UNAVAILABLE", 503, true},
	{"DATA_LOSS", 0, true},
	{"UNAUTHENTICATED", 401, false},
};

const char *
bi_gapi_word(const BiJson *error)
{
	const char *status = bi_json_string(bi_json_at(error, "status", NULL), NULL);
	int64		code = bi_json_int(bi_json_at(error, "code", NULL), 0);

	for (int i = 1; i < lengthof(codes); i++)
		if (status ? strcmp(codes[i].word, status) == 0 : code > 0 && (codes[i].http == code || i == code))
			return codes[i].word;
	if (status == NULL && code >= 400 && code <= 599)
		return code >= 500 ? "INTERNAL" : code == 408 ? "DEADLINE_EXCEEDED" : "INVALID_ARGUMENT";
	return NULL;
}

const char *
bi_gapi_find_word(const char *text)
{
	size_t		len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	for (int i = 1; i < lengthof(codes); i++)
		if (strlen(codes[i].word) == len && memcmp(codes[i].word, text, len) == 0)
			return codes[i].word;
	return NULL;
}

bool
bi_gapi_is_transient(const char *word)
{
	for (int i = 0; word && i < lengthof(codes); i++)
		if (strcmp(codes[i].word, word) == 0)
			return codes[i].transient;
	return false;
}

BiFault *
bi_gapi_fault(const BiJson *error)
{
	BiFault    *fault = palloc0(sizeof(BiFault));
	const char *word = bi_gapi_word(error);

	fault->code = word ? pstrdup(word) : bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	fault->message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (fault->code == NULL)
		fault->code = pstrdup("unknown");
	if (fault->message == NULL)
		fault->message = pstrdup("no message");
	return fault;
}

int64
bi_gapi_time(const BiJson *json)
{
	char	   *text = bi_json_cstring(json);

	return text ? bi_wire_time(text) : -1;
}

/* Verdicts */

/* The error of a reply that is no success; NULL where the words are not the API's own. */
static const BiJson *
error_of(const BiExchange *ex)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	const BiJson *whole = bi_json_type(json) == BI_JSON_ARRAY ? bi_json_item(json, 0) : json;

	return bi_json_at(whole, "error", NULL);
}

/* The detail of that type. */
static const BiJson *
find_detail(const BiJson *error, const char *type)
{
	const BiJson *details = bi_json_at(error, "details", NULL);

	for (int i = 0; bi_json_type(details) == BI_JSON_ARRAY && i < bi_json_length(details); i++)
	{
		const BiJson *detail = bi_json_item(details, i);
		const char *name = bi_json_string(bi_json_at(detail, "@type", NULL), NULL);

		if (name && strcmp(name, type) == 0)
			return detail;
	}
	return NULL;
}

/* "37s", "1.5s" of RetryInfo; 0 where it is none. */
static int64
asked_wait_ms(const BiJson *error)
{
	const BiJson *info = find_detail(error, "type.googleapis.com/google.rpc.RetryInfo");
	char	   *delay = bi_json_cstring(bi_json_at(info, "retryDelay", NULL));
	char	   *end;
	double		seconds;

	if (delay == NULL || delay[strspn(delay, "0123456789.")] != 's')
		return 0;
	seconds = strtod(delay, &end);
	return *end == 's' && seconds > 0 ? (int64) Min(seconds * 1000, WAIT_MAX_MS) : 0;
}

/* Cloud Storage's own word. */
static char *
read_reason(const BiJson *error)
{
	return bi_wire_json_words(bi_json_at(bi_json_item(bi_json_at(error, "errors", NULL), 0), "reason", NULL), BI_WIRE_CODE);
}

static void
read_words(const BiExchange *ex, const BiJson *error, BiVerdict *verdict)
{
	const char *text = ex->body.data + strspn(ex->body.data, " \t\r\n");
	const BiJson *status = bi_json_at(error, "status", NULL);

	verdict->code = status ? bi_wire_json_words(status, BI_WIRE_CODE) : read_reason(error);
	verdict->message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (verdict->message == NULL)
		verdict->message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
	if (verdict->message == NULL && error == NULL && *text != '\0' && !strchr("<{[", *text))
		verdict->message = bi_wire_words(text, strlen(text), BI_WIRE_MESSAGE);
	if (verdict->message == NULL)
		verdict->message = psprintf("HTTP status %d%s", ex->status, *text == '<' ? " with an HTML page" : "");
	if (verdict->code == NULL)
		verdict->code = psprintf("http_%d", ex->status);
}

/* Cloud Storage has these as 403 too. */
static bool
is_rate(const char *code)
{
	static const char *const words[] = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RESOURCE_EXHAUSTED"};

	for (int i = 0; i < lengthof(words); i++)
		if (strcmp(words[i], code) == 0)
			return true;
	return false;
}

static BiVerdictKind
status_kind(int status, bool own, const char *code)
{
	if (status == 429 || (status < 500 && is_rate(code)))
		return BI_DEFER;
	if (status == 401 || status == 403)
		return BI_DENIED;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425 || status == 499)
		return BI_UNCLEAR;
	if (status < 400 || status == 413)
		return BI_REFUSED;
	if (!own)
		return BI_UNCLEAR;
	return status == 404 ? BI_ABSENT : BI_REFUSED;
}

BiVerdict
bi_gapi_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = {BI_OK};
	const BiJson *error;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399))
		return bi_openai_reply_verdict(ex); /* no words in it that would be Google's */
	error = error_of(ex);
	read_words(ex, error, &verdict);
	verdict.kind = status_kind(ex->status, error != NULL, verdict.code);
	verdict.wait_ms = asked_wait_ms(error);
	return verdict;
}
