/*
 * provider/google/gemini_file.c: files of the Gemini Developer API: uploads and results.
 *
 * A file that is left behind is gone after 48 hours (source: ai.google.dev, "Files API", 2026-11).
 */
#include "postgres.h"

#include "base/spool.h"
#include "provider/google/gemini_api.h"
#include "provider/google/gemini_file.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define TYPE "application/jsonl"

/*
 * Upload: ask for an address, then send the bytes there; the address is the cursor of the second
 * request.  The file has a name of ours.  409 says that it exists, so its bytes travelled before
 * and the answer was lost: look at the file, and use it if it has the input's size; otherwise
 * remove it and begin again.
 */

/* The other cursors. */
#define LOOK "look"				/* look at the file that exists */
#define REMOVE "remove"			/* remove it: it is not this input */
#define AGAIN "again"			/* begin again */

/* True if that is the cursor. */
static bool
is_cursor(const BiCall *call, const char *cursor)
{
	return bi_words_equal(call->cursor, cursor);
}

char *
bi_gemini_file_input(const BiChunk *chunk)
{
	return psprintf("files/bi-%s", chunk->intent);
}

/* Writes the request for an address; the bytes do not travel with it. */
static void
begin_upload(const BiCall *call, BiExchange *ex)
{
	int64		size = bi_spool_size(ex->upload);

	ex->upload = NULL;
	bi_gemini_api_request(call, "POST", "/upload", "files", ex);
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	bi_exchange_add_header(ex, "X-Goog-Upload-Protocol", "resumable");
	bi_exchange_add_header(ex, "X-Goog-Upload-Command", "start");
	bi_exchange_add_header(ex, "X-Goog-Upload-Header-Content-Length",
						   psprintf(INT64_FORMAT, size));
	bi_exchange_add_header(ex, "X-Goog-Upload-Header-Content-Type", TYPE);
	ex->has_body = true;
	appendStringInfo(&ex->head,
					 "{\"file\":{\"name\":\"%s\",\"displayName\":\"%s\","
					 "\"mimeType\":\"" TYPE "\"}}",
					 bi_gemini_file_input(call->chunk), bi_gemini_api_token(call->chunk));
}

/* Writes the request that sends the bytes to the address. */
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
		bi_gemini_api_request(call, is_cursor(call, LOOK) ? "GET" : "DELETE", "",
							  bi_gemini_file_input(call->chunk), ex);
	else
		send_bytes(call, ex);
}

/* True if scheme, host and port are those of base_url.  The input and the key go to no other. */
static bool
is_configured_host(const BiServer *server, const char *url)
{
	char	   *base = bi_wire_base_url(server, BI_GEMINI_API_URL);
	char	   *host = strstr(base, "://");
	size_t		len = host ? host + 3 - base + strcspn(host + 3, "/?#") : 0;

	return host && pg_strncasecmp(url, base, len) == 0 &&
		(url[len] == '/' || url[len] == '?');
}

/* Reads the reply with the address. */
static BiVerdict
read_address(const BiCall *call, const BiExchange *ex)
{
	const char *url = bi_exchange_reply_header(ex, "x-goog-upload-url");

	if (url == NULL || !bi_secret_fits(url, strlen(url)))
		return bi_verdict_unexpected(ex, "an address for an upload");
	if (!is_configured_host(call->server, url))
		return bi_verdict_make(ex, BI_VERDICT_REFUSED, "foreign_address",
							   "the provider wants the upload at another host than that of "
							   "option \"base_url\"");
	return bi_verdict_next(url);
}

/* Reads the description of the file that was uploaded just now, or before. */
static BiVerdict
read_file(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiJson	   *json = bi_wire_body(ex);
	const BiJson *file = is_cursor(call, LOOK) ? json : bi_json_at(json, "file", NULL);
	char	   *name = bi_gemini_api_name(bi_json_at(file, "name", NULL), "files");
	char	   *size = bi_json_cstring(bi_json_at(file, "sizeBytes", NULL));
	char	   *sent = psprintf(INT64_FORMAT, bi_spool_size(ex->upload));

	if (name == NULL)
		return bi_verdict_unexpected(ex, "a file");
	if (size && strcmp(size, sent) != 0 && is_cursor(call, LOOK))
		return bi_verdict_next(REMOVE);
	if (size && strcmp(size, sent) != 0)
		return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "wrong_size",
							   psprintf("the provider has %.20s bytes of a file of %s", size,
										sent));
	*refs = bi_ref_set(*refs, BI_GEMINI_INPUT, name);
	return (BiVerdict) {BI_VERDICT_OK};
}

BiVerdict
bi_gemini_file_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);
	bool		gone = verdict.kind == BI_VERDICT_OK || verdict.kind == BI_VERDICT_ABSENT;

	if (is_cursor(call, REMOVE) && gone)
		return bi_verdict_next(AGAIN);
	if (ex->transport == BI_TRANSPORT_REPLIED && ex->status == 409 && !is_cursor(call, AGAIN))
		return bi_verdict_next(LOOK);
	if (verdict.kind != BI_VERDICT_OK)
		return verdict;
	if (call->cursor == NULL || is_cursor(call, AGAIN))
		return read_address(call, ex);
	return read_file(call, ex, refs);
}

/* Results */

bool
bi_gemini_file_fetch(const BiCall *call, int part, BiExchange *ex)
{
	const char *name = part == 0 ? bi_ref_get(call->chunk->batch->refs, BI_GEMINI_OUTPUT) : NULL;

	if (name)
		bi_gemini_api_request(call, "GET", "/download", psprintf("%s:download?alt=media", name),
							  ex);
	return name != NULL;
}

BiVerdict
bi_gemini_file_read_fetch(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (verdict.kind == BI_VERDICT_OK && (bi_exchange_reply_is_page(ex) || ex->status != 200))
		return bi_verdict_unexpected(ex, "a whole results file");
	return verdict;
}
