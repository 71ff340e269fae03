/*
 * provider/google/gcs.c: requests to Cloud Storage's JSON API, and what their replies bring.
 *
 * Knows addresses, preconditions and checksums; knows no batch (source: discovery of storage v1,
 * npm googleapis 178, seen 2026-11).
 */
#include "postgres.h"

#include "base/json.h"
#include "base/spool.h"
#include "provider/google/gapi.h"
#include "provider/google/gcs.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define BASE_URL "https://storage.googleapis.com"
#define SCHEME "gs://"
#define TOKEN_MAX 4096

/* Requests */

/* Returns the bucket of a place, palloc'd; *name is what stands behind it, in the place. */
static char *
split_place(const char *place, const char **name)
{
	const char *bucket = place + strlen(SCHEME);
	size_t		len = strcspn(bucket, "/");

	*name = bucket[len] == '/' ? bucket + len + 1 : "";
	return pnstrdup(bucket, len);
}

/* Begins url with BASE + root + "/storage/v1/b/BUCKET/o"; *name is what stands behind the
 * bucket. */
static void
begin_url(const BiCall *call, const char *root, const char *place, StringInfo url,
		  const char **name)
{
	const char *base = call->server->storage_base_url;

	initStringInfo(url);
	appendStringInfo(url, "%s%s/storage/v1/b/", bi_wire_trimmed(base ? base : BASE_URL), root);
	bi_wire_append_escaped(url, split_place(place, name));
	appendStringInfoString(url, "/o");
}

/* Writes a request for one object. */
static void
ask_object(const BiCall *call, const char *method, const char *place, const char *query,
		   BiExchange *ex)
{
	StringInfoData url;
	const char *name;

	begin_url(call, "", place, &url, &name);
	appendStringInfoChar(&url, '/');
	bi_wire_append_escaped(&url, name);
	appendStringInfoString(&url, query);
	bi_exchange_request(ex, method, url.data);
	bi_exchange_add_header(ex, "Accept", "application/json");
}

void
bi_gcs_put(const BiCall *call, const char *place, BiExchange *ex)
{
	StringInfoData url;
	const char *name;

	begin_url(call, "/upload", place, &url, &name);
	appendStringInfoString(&url, "?uploadType=media&ifGenerationMatch=0&name=");
	bi_wire_append_escaped(&url, name);
	bi_exchange_request(ex, "POST", url.data);
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/jsonl");
	ex->has_body = true;
}

void
bi_gcs_stat(const BiCall *call, const char *place, BiExchange *ex)
{
	ask_object(call, "GET", place, "", ex);
}

void
bi_gcs_get(const BiCall *call, const char *place, BiExchange *ex)
{
	ask_object(call, "GET", place, "?alt=media", ex);
}

void
bi_gcs_delete(const BiCall *call, const char *place, const char *generation, BiExchange *ex)
{
	const char *query = generation ? psprintf("?ifGenerationMatch=%s", generation) : "";

	ask_object(call, "DELETE", place, query, ex);
}

void
bi_gcs_list(const BiCall *call, const char *place, int limit, const char *token,
			BiExchange *ex)
{
	StringInfoData url;
	const char *name;

	begin_url(call, "", place, &url, &name);
	appendStringInfo(&url, "?maxResults=%d&fields=items/name,nextPageToken&prefix=", limit);
	bi_wire_append_escaped(&url, name);
	if (token)
	{
		appendStringInfoString(&url, "&pageToken=");
		bi_wire_append_escaped(&url, token);
	}
	bi_exchange_request(ex, "GET", url.data);
	bi_exchange_add_header(ex, "Accept", "application/json");
}

/* Replies */

/* If bytes were asked for, the store says in plain text that an object does not exist. */
BiVerdict
bi_gcs_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);
	bool		missing = ex->transport == BI_TRANSPORT_REPLIED && ex->status == 404;

	if (verdict.kind == BI_VERDICT_UNCLEAR && missing &&
		ex->body.data[strspn(ex->body.data, " \t\r\n")] != '<')
		bi_verdict_change(&verdict, ex, BI_VERDICT_ABSENT);
	return verdict;
}

/* Returns a CRC-32C as the store writes it, palloc'd: four bytes, the highest first, in base64. */
static char *
write_checksum(uint32 crc)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char		text[] = "000000==";

	for (int i = 0; i < 5; i++)
		text[i] = digits[(crc >> (26 - 6 * i)) & 63];
	text[5] = digits[(crc & 3) << 4];
	return pstrdup(text);
}

char *
bi_gcs_read_object(const BiExchange *ex, bool *same)
{
	BiJson	   *json = bi_wire_body(ex);
	char	   *generation = bi_wire_id(bi_json_at(json, "generation", NULL));
	char	   *size = bi_json_cstring(bi_json_at(json, "size", NULL));
	const char *sum = bi_json_string(bi_json_at(json, "crc32c", NULL), NULL);
	int64		sent = ex->upload ? bi_spool_size(ex->upload) : 0;
	uint32		crc = ex->upload ? bi_spool_crc32c(ex->upload) : 0;

	*same = bi_words_equal(size, psprintf(INT64_FORMAT, sent)) &&
		(sum == NULL || strcmp(sum, write_checksum(crc)) == 0);
	return generation && generation[strspn(generation, "0123456789")] == '\0' ? generation : NULL;
}

/* True if the bytes have the checksum that came with them, or if none came. */
static bool
is_whole(const BiExchange *ex)
{
	const char *hash = bi_exchange_reply_header(ex, "x-goog-hash");
	const char *sum = hash ? strstr(hash, "crc32c=") : NULL;

	if (sum == NULL || ex->download == NULL)
		return true;
	return bi_words_begin(sum + strlen("crc32c="), write_checksum(bi_spool_crc32c(ex->download)));
}

BiVerdict
bi_gcs_read_get(const BiExchange *ex)
{
	BiVerdict	verdict = bi_gcs_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_verdict_unexpected(ex, "a whole object");
	if (verdict.kind == BI_VERDICT_OK && !is_whole(ex))
		return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "checksum",
							   "the bytes that came are not those of the object");
	return verdict;
}

bool
bi_gcs_read_list(const BiExchange *ex, const char *place, List **names, char **token)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *items = bi_json_at(json, "items", NULL);
	const BiJson *next = bi_json_at(json, "nextPageToken", NULL);
	const char *prefix;

	(void) split_place(place, &prefix);
	*token = bi_json_cstring(next);
	if (bi_json_type(json) != BI_JSON_OBJECT || (items && bi_json_type(items) != BI_JSON_ARRAY))
		return false;
	if (next && (*token == NULL || **token == '\0' || strlen(*token) > TOKEN_MAX))
		return false;
	for (int i = 0; i < bi_json_length(items); i++)
	{
		char	   *name = bi_json_cstring(bi_json_at(bi_json_item(items, i), "name", NULL));

		if (!bi_words_begin(name, prefix))
			return false;
		*names = lappend(*names, name + strlen(prefix));
	}
	return true;
}
