/*
 * provider/gemini_api.c: the Gemini Developer API: addresses, names and verdicts.
 *
 * Knows where things are and which replies mean something else than at Google's other
 * APIs.  Called by gemini.c, gemini_file.c and gemini_batch.c.
 */
#include "postgres.h"

#include "provider/gapi.h"
#include "provider/gemini.h"
#include "provider/wire.h"

#define VERSION "v1beta"
#define ID_MAX 256

void
bi_gemini_api_request(const BiCall *call, const char *method, const char *root, const char *path, BiExchange *ex)
{
	const BiServer *server = call->server;

	bi_exchange_request(ex, method, psprintf("%s%s/%s/%s", bi_wire_base_url(server, bi_gemini.base_url), root,
											 server->api_version ? server->api_version : VERSION, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

char *
bi_gemini_api_name(const BiJson *name, const char *kind)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	char	   *text = bi_json_string(name, NULL) ? bi_json_cstring(name) : NULL;
	size_t		len = strlen(kind);
	const char *id;

	if (text == NULL || strncmp(text, kind, len) != 0 || text[len] != '/')
		return NULL;
	id = text + len + 1;
	return *id && strlen(id) <= ID_MAX && id[strspn(id, letters)] == '\0' ? text : NULL;
}

char *
bi_gemini_api_token(const BiChunk *chunk)
{
	return psprintf("batchinf-%s", chunk->intent);
}

/* Has the error a detail with that reason? */
static bool
has_reason(const BiJson *error, const char *reason)
{
	const BiJson *details = bi_json_at(error, "details", NULL);

	for (int i = 0; bi_json_type(details) == BI_JSON_ARRAY && i < bi_json_length(details); i++)
	{
		const char *found = bi_json_string(bi_json_at(bi_json_item(details, i), "reason", NULL), NULL);

		if (found && strcmp(found, reason) == 0)
			return true;
	}
	return false;
}

/* Keys that are not good are no 401 here. */
static bool
is_bad_key(const BiExchange *ex, const BiVerdict *verdict)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);

	return has_reason(bi_json_at(json, "error", NULL), "API_KEY_INVALID") || strstr(verdict->message, "API key");
}

/* Nor are countries and accounts that are not served 403. */
static bool
is_unserved(const BiVerdict *verdict)
{
	return strstr(verdict->message, "location is not supported") || strstr(verdict->message, "billing");
}

BiVerdict
bi_gemini_api_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);

	if (verdict.kind == BI_REFUSED && ex->status == 400)
	{
		verdict.bad_key = is_bad_key(ex, &verdict);
		verdict.kind = verdict.bad_key || is_unserved(&verdict) ? BI_DENIED : BI_REFUSED;
	}
	else if (verdict.kind == BI_DENIED && ex->status == 403 && strstr(verdict.message, "it may not exist"))
		verdict.kind = BI_ABSENT;	/* so files are told that are gone, or another project's */
	return verdict;
}
