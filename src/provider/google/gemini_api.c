/*
 * provider/google/gemini_api.c: addresses, names and verdicts of the Gemini Developer API.
 *
 * Knows which replies mean something different here than at Google's other APIs (source:
 * ai.google.dev, "Troubleshooting guide", and reports of users; seen 2026-11).
 */
#include "postgres.h"

#include "provider/google/gapi.h"
#include "provider/google/gemini_api.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define VERSION "v1beta"		/* unless the server sets api_version */
#define ID_MAX 256

void
bi_gemini_api_request(const BiCall *call, const char *method, const char *root, const char *path,
					  BiExchange *ex)
{
	char	   *base = bi_wire_base_url(call->server, BI_GEMINI_API_URL);
	const char *version = call->server->api_version ? call->server->api_version : VERSION;

	bi_exchange_request(ex, method, psprintf("%s%s/%s/%s", base, root, version, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

char *
bi_gemini_api_name(const BiJson *name, const char *kind)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	char	   *text = bi_json_string(name, NULL) ? bi_json_cstring(name) : NULL;
	size_t		len = strlen(kind);
	const char *id;

	if (!bi_words_begin(text, kind) || text[len] != '/')
		return NULL;
	id = text + len + 1;
	return *id && strlen(id) <= ID_MAX && id[strspn(id, letters)] == '\0' ? text : NULL;
}

char *
bi_gemini_api_token(const BiChunk *chunk)
{
	return psprintf("batchinf-%s", chunk->intent);
}

/* True if a 400 is about the key; this API does not say 401 for it. */
static bool
is_bad_key(const BiExchange *ex, const BiVerdict *verdict)
{
	BiJson	   *json = bi_wire_body(ex);

	return bi_gapi_detail(bi_json_at(json, "error", NULL), "reason", "API_KEY_INVALID") ||
		strstr(verdict->message, "API key");
}

/* True if a 400 says that the country or the account is not served; this API does not say 403 for
 * it. */
static bool
is_unserved(const BiVerdict *verdict)
{
	return strstr(verdict->message, "location is not supported") ||
		strstr(verdict->message, "billing");
}

BiVerdict
bi_gemini_api_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);
	bool		forbidden = verdict.kind == BI_VERDICT_DENIED && ex->status == 403;

	if (verdict.kind == BI_VERDICT_REFUSED && ex->status == 400)
	{
		verdict.bad_key = is_bad_key(ex, &verdict);
		if (verdict.bad_key || is_unserved(&verdict))
			bi_verdict_change(&verdict, ex, BI_VERDICT_DENIED);
		else
			bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
	}
	/* The API says so of files that are gone, or another project's. */
	else if (forbidden && strstr(verdict.message, "it may not exist"))
		bi_verdict_change(&verdict, ex, BI_VERDICT_ABSENT);
	return verdict;
}
