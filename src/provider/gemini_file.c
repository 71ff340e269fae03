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

/* Upload: an address for the bytes is asked for, and is the cursor then. */

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
	appendStringInfo(&ex->head, "{\"file\":{\"displayName\":\"%s\",\"mimeType\":\"" TYPE "\"}}", bi_gemini_api_token(call->chunk));
}

void
bi_gemini_file_upload(const BiCall *call, BiExchange *ex)
{
	if (call->cursor == NULL)
	{
		begin_upload(call, ex);
		return;
	}
	bi_exchange_request(ex, "POST", call->cursor);
	bi_exchange_add_header(ex, "X-Goog-Upload-Offset", "0");
	bi_exchange_add_header(ex, "X-Goog-Upload-Command", "upload, finalize");
	ex->has_body = true;
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
read_address(const BiCall *call, const BiExchange *ex)
{
	const char *url = bi_exchange_reply_header(ex, "x-goog-upload-url");

	if (url == NULL || *url == '\0')
		return bi_openai_reply_unexpected(ex, "an address for an upload");
	if (!is_configured_host(call->server, url))
		return (BiVerdict) {BI_REFUSED, pstrdup("foreign_address"), pstrdup("the provider wants the upload at another host than that of option \"base_url\"")};
	return (BiVerdict) {.kind = BI_OK, .next = pstrdup(url)};
}

static BiVerdict
read_file(const BiExchange *ex, List **refs)
{
	BiJson	   *json = bi_json_parse(ex->body.data, ex->body.len);
	const BiJson *file = bi_json_at(json, "file", NULL);
	char	   *name = bi_gemini_api_name(bi_json_at(file, "name", NULL), "files");
	char	   *size = bi_json_cstring(bi_json_at(file, "sizeBytes", NULL));
	char	   *sent = psprintf(INT64_FORMAT, bi_spool_size(ex->upload));

	if (name == NULL)
		return bi_openai_reply_unexpected(ex, "a file");
	if (size && strcmp(size, sent) != 0)
		return (BiVerdict) {BI_UNCLEAR, pstrdup("wrong_size"), psprintf("the provider has %.20s bytes of a file of %s", size, sent)};
	*refs = bi_ref_set(*refs, BI_GEMINI_INPUT, name);
	return (BiVerdict) {BI_OK};
}

BiVerdict
bi_gemini_file_read_upload(const BiCall *call, const BiExchange *ex, List **refs)
{
	BiVerdict	verdict = bi_gemini_api_verdict(ex);

	if (verdict.kind != BI_OK)
		return verdict;
	return call->cursor ? read_file(ex, refs) : read_address(call, ex);
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
	const char *type = bi_exchange_reply_header(ex, "content-type");
	bool		page = type && pg_strncasecmp(type, "text/html", 9) == 0;

	if (verdict.kind == BI_OK && (page || ex->status != 200))
		return bi_openai_reply_unexpected(ex, "a whole results file");
	return verdict;
}
