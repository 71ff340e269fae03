/*
 * provider/gemini_file.c: files of the Gemini Developer API: resumable uploads, results.
 *
 * Knows how bytes go up and come down.  A file that is left behind is gone after 48 hours.
 * Called through the routine table.
 */
#include "postgres.h"

#include "base/spool.h"
#include "provider/gapi.h"
#include "provider/gemini.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define TYPE "application/jsonl"

/*
 * Upload: an address for the bytes is asked for, and is the cursor then.  The file has a name
 * of ours: where it is there already, its bytes travelled before and the answer was lost.
 */

/* Other cursors. */
#define LOOK "look"				/* at the file that is there */
#define REMOVE "remove"			/* it, which is another */
#define AGAIN "again"			/* from the begin */

static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return call->cursor && strcmp(call->cursor, cursor) == 0;
}

char *
bi_gemini_file_input(const BiChunk *chunk)
{
	return psprintf("files/bi-%s", chunk->intent);
}

static void
begin_upload(const BiCall *call, BiExchange *ex)
{
	int64		size = bi_spool_size(ex->upload);

	ex->upload = NULL;
	bi_gemini_api_request(call, "POST", "/upload", "files", ex);
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	bi_exchange_add_header(ex, "X-Goog-Upload-Protocol", "resumable");
	bi_exchange_add_header(ex, "X-Goog-Upload-Command", "start");
	bi_exchange_add_header(ex, "X-Goog-Upload-Header-Content-Length", psprintf(INT64_FORMAT, size));
	bi_exchange_add_header(ex, "X-Goog-Upload-Header-Content-Type", TYPE);
	ex->has_body = true;
	appendStringInfo(&ex->head, "{\"file\":{\"name\":\"%s\",\"displayName\":\"%s\",\"mimeType\":\"" TYPE "\"}}", bi_gemini_file_input(call->chunk),
					 bi_gemini_api_token(call->chunk));
}

static void
send_bytes(const BiCall *call, BiExchange *ex)
{
	bi_exchange_request(ex, "POST", call->cursor);
	bi_exchange_add_header(ex, "X-Goog-Upload-Offset", "0");
	bi_exchange_add_header(ex, "X-Goog-Upload-Command", "upload, finalize");
	ex->has_body = true;
}

void
bi_gemini_file_upload(const BiCall *call, BiExchange *ex)
{
	if (call->cursor == NULL || is_cursor(call, AGAIN))
		begin_upload(call, ex);
	else if (is_cursor(call, LOOK) || is_cursor(call, REMOVE))
		bi_gemini_api_request(call, is_cursor(call, LOOK) ? "GET" : "DELETE", "", bi_gemini_file_input(call->chunk), ex);
	else
		send_bytes(call, ex);
}

/* Scheme, host and port are the configured ones: no other is given the input and the key. */
static bool
is_configured_host(const BiServer *server, const char *url)
{
	char	   *base = bi_wire_base_url(server, bi_gemini.base_url);
	char	   *host = strstr(base, "://");
	size_t		len = host ? host + 3 - base + strcspn(host + 3, "/?#") : 0;

	return host && pg_strncasecmp(url, base, len) == 0 && (url[len] == '/' || url[len] == '?');
}

static BiVerdict
next_turn(const char *cursor)
{
	return (BiVerdict) {.kind = BI_OK, .next = pstrdup(cursor)};
}

static BiVerdict
read_address(const BiCall *call, const BiExchange *ex)
{
	const char *url = bi_exchange_reply_header(ex, "x-goog-upload-url");

	if (url == NULL || !bi_secret_fits(url, strlen(url)))
		return bi_openai_reply_unexpected(ex, "an address for an upload");
	if (!is_configured_host(call->server, url))
		return (BiVerdict) {BI_REFUSED, pstrdup("foreign_address"), pstrdup("the provider wants the upload at another host than that of option \"base_url\"")};
	return next_turn(url);
}

/* Of what was uploaded just now, or before. */
static BiVerdict
read_file(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	const BiJson *file = is_cursor(call, LOOK) ? json : bi_json_at(json, "file", NULL);
	char	   *name = bi_gemini_api_name(bi_json_at(file, "name", NULL), "files");
	char	   *size = bi_json_cstring(bi_json_at(file, "sizeBytes", NULL));
	char	   *sent = psprintf(INT64_FORMAT, bi_spool_size(ex->upload));

	if (name == NULL)
		return bi_openai_reply_unexpected(ex, "a file");
	if (size && strcmp(size, sent) != 0 && is_cursor(call, LOOK))
		return next_turn(REMOVE);
	if (size && strcmp(size, sent) != 0)
		return (BiVerdict) {BI_UNCLEAR, pstrdup("wrong_size"), psprintf("the provider has %.20s bytes of a file of %s", size, sent)};
	*refs = bi_ref_set(*refs, BI_GEMINI_INPUT, name);
	return (BiVerdict) {BI_OK};
}

BiVerdict
bi_gemini_file_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (is_cursor(call, REMOVE) && (verdict.kind == BI_OK || verdict.kind == BI_ABSENT))
		return next_turn(AGAIN);
	if (ex->transport == BI_TRANSPORT_REPLIED && ex->status == 409 && !is_cursor(call, AGAIN))
		return next_turn(LOOK);
	if (verdict.kind != BI_OK)
		return verdict;
	return call->cursor == NULL || is_cursor(call, AGAIN) ? read_address(call, ex) : read_file(call, ex, refs);
}

/* Results */

bool
bi_gemini_file_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = part == 0 ? bi_ref_get(call->chunk->refs, BI_GEMINI_OUTPUT) : NULL;

	if (name)
		bi_gemini_api_request(call, "GET", "/download", psprintf("%s:download?alt=media", name), ex);
	return name != NULL;
}

BiVerdict
bi_gemini_file_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (verdict.kind == BI_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_openai_reply_unexpected(ex, "a whole results file");
	return verdict;
}
