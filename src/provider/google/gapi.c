/*
 * provider/google/gapi.c: what errors and replies mean that Google's APIs have in common.
 *
 * Knows status codes and error objects in both of their shapes; Cloud Storage has one of its own.
 * Any member may be null, missing or of a wrong type.  Knows no request.
 *
 * Decided here: an error page of Google's front end (HTML) is not the API's own word.  So its 404
 * or 400 is UNCLEAR; vertex_address.c says when a 404 is a wrong location.
 */
#include "postgres.h"

#include "provider/google/gapi.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* The longest, in milliseconds, that a reply may make a server wait. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* google.rpc.Code: the index is the number (source: googleapis, google/rpc/code.proto). */
static const struct
{
	const char *word;
	int			http;			/* the HTTP status that means it; 0: none does */
	bool		transient;		/* it is about load or a fault of the service */
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

/* Error objects */

const char *
bi_gapi_word(const BiJson *error)
{
	const char *status = bi_json_string(bi_json_at(error, "status", NULL), NULL);
	int64		code = bi_json_int(bi_json_at(error, "code", NULL), 0);

	for (int i = 1; i < lengthof(codes); i++)
	{
		bool		is_code = code > 0 && (codes[i].http == code || i == code);

		if (status ? strcmp(codes[i].word, status) == 0 : is_code)
			return codes[i].word;
	}
	if (status || code < 400 || code > 599)
		return NULL;
	if (code >= 500)
		return "INTERNAL";
	return code == 408 ? "DEADLINE_EXCEEDED" : "INVALID_ARGUMENT";
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

	if (word)
		fault->code = pstrdup(word);
	else
		fault->code = bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	fault->message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (fault->code == NULL)
		fault->code = pstrdup("unknown");
	if (fault->message == NULL)
		fault->message = pstrdup("no message");
	return fault;
}

int64
bi_gapi_count(const BiJson *json, int max_digits, int64 otherwise)
{
	char	   *text = bi_json_cstring(json);
	size_t		len = text ? strlen(text) : 0;

	if (len == 0 || len > max_digits || text[strspn(text, "0123456789")] != '\0')
		return otherwise;
	return strtoll(text, NULL, 10);
}

const BiJson *
bi_gapi_detail(const BiJson *error, const char *name, const char *text)
{
	const BiJson *details = bi_json_at(error, "details", NULL);

	for (int i = 0; bi_json_type(details) == BI_JSON_ARRAY && i < bi_json_length(details); i++)
		if (bi_json_equals(bi_json_at(bi_json_item(details, i), name, NULL), text))
			return bi_json_item(details, i);
	return NULL;
}

int64
bi_gapi_time(const BiJson *json)
{
	char	   *text = bi_json_cstring(json);

	return text ? bi_wire_time(text) : -1;
}

/* Verdicts */

/* Returns the error object of a reply that is not a success; NULL if its words are not the API's
 * own.  Some replies wrap it in an array. */
static const BiJson *
error_of(const BiExchange *ex)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *whole = bi_json_type(json) == BI_JSON_ARRAY ? bi_json_item(json, 0) : json;

	return bi_json_at(whole, "error", NULL);
}

/* Returns the milliseconds that RetryInfo asks to wait ("37s", "1.5s"); 0 if it does not. */
static int64
asked_wait_ms(const BiJson *error)
{
	const BiJson *info = bi_gapi_detail(error, "@type",
										"type.googleapis.com/google.rpc.RetryInfo");
	char	   *delay = bi_json_cstring(bi_json_at(info, "retryDelay", NULL));
	char	   *end;
	double		seconds;

	if (delay == NULL || delay[strspn(delay, "0123456789.")] != 's')
		return 0;
	seconds = strtod(delay, &end);
	return *end == 's' && seconds > 0 ? (int64) Min(seconds * 1000, WAIT_MAX_MS) : 0;
}

/* Returns the word of Cloud Storage's error objects, palloc'd, or NULL. */
static char *
read_reason(const BiJson *error)
{
	const BiJson *first = bi_json_item(bi_json_at(error, "errors", NULL), 0);

	return bi_wire_json_words(bi_json_at(first, "reason", NULL), BI_WIRE_CODE);
}

/* Sets the verdict's code and message; neither is NULL then. */
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
		verdict->message = psprintf("HTTP status %d%s", ex->status,
									*text == '<' ? " with an HTML page" : "");
	if (verdict->code == NULL)
		verdict->code = psprintf("http_%d", ex->status);
}

/* Returns what status and code mean; own: the words are the API's own. */
static BiVerdictKind
status_kind(int status, bool own, const char *code)
{
	/* Cloud Storage has these with status 403 too. */
	static const char *const rates[] = {
		"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RESOURCE_EXHAUSTED", NULL
	};

	if (status == 429 || (status < 500 && bi_words_list(rates, code)))
		return BI_VERDICT_DEFER;
	if (status == 401 || status == 403)
		return BI_VERDICT_DENIED;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425 ||
		status == 499)
		return BI_VERDICT_UNCLEAR;
	if (status < 400 || status == 413)
		return BI_VERDICT_REFUSED;
	if (!own)
		return BI_VERDICT_UNCLEAR;
	return status == 404 ? BI_VERDICT_ABSENT : BI_VERDICT_REFUSED;
}

BiVerdict
bi_gapi_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = {BI_VERDICT_OK};
	const BiJson *error;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399))
		return bi_verdict_read(ex); /* it has no words of Google's */
	error = error_of(ex);
	read_words(ex, error, &verdict);
	bi_verdict_change(&verdict, ex, status_kind(ex->status, error != NULL, verdict.code));
	verdict.wait_ms = asked_wait_ms(error);
	return verdict;
}
