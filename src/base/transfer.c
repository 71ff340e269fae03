/*
 * base/transfer.c: one exchange on its way through libcurl: its callbacks and its result.
 *
 * The callbacks never raise an error and never palloc: they store a cause and return short.
 * Handle, lists and buffers are freed by the reset of the transfer's own context.
 * Knows one transfer, not the set it is in nor which options it runs with.
 */
#include "base/transfer.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/crash.h"
#include "base/spool.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define HEADERS_MAX 100			/* further headers of a reply are not kept */
#define HEADER_BYTES_MAX (64 * 1024)

/* A reply whose headers are larger than this is given up. */
#define HEADER_FLOOD (16 * 1024 * 1024)

void
bi_transfer_give_up(BiTransfer *transfer, BiCause cause, const char *what, const char *which)
{
	transfer->cause = cause;
	snprintf(transfer->why, sizeof(transfer->why), what, which);
}

static bool
keep_bytes(BiBytes *bytes, const char *more, size_t len)
{
	if (bytes->len + len > bytes->size)
	{
		size_t		size = Max(Max(2 * bytes->size, bytes->len + len), 4096);
		char	   *data = realloc(bytes->data, size);

		if (data == NULL)
			return false;
		bytes->data = data;
		bytes->size = size;
	}
	memcpy(bytes->data + bytes->len, more, len);
	bytes->len += len;
	return true;
}

static bool
is_allowed(const BiTransfer *transfer, BiAddress address)
{
	if (address == BI_ADDRESS_METADATA)
		return transfer->metadata_allowed;
	return address == BI_ADDRESS_OUTER || transfer->inner_allowed;
}

/* libcurl opens a new connection.  Refuses it if we may not talk to the resolved address.  A
 * proxy's address is always allowed, and what the proxy resolves is not seen here. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	BiTransfer *transfer = arg;
	int			fd;

	if (transfer->given_up)
		return CURL_SOCKET_BAD;
	if (!is_allowed(transfer, bi_address_judge(&addr->addr)))
	{
		bi_transfer_give_up(transfer, BI_CAUSE_DENIED, "%s",
							"the host has a loopback, link-local or private address,"
							" which is not allowed");
		return CURL_SOCKET_BAD;
	}
	fd = socket(addr->family, addr->socktype, addr->protocol);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* libcurl is connected, and sends the request next.  A reused connection may be one that was
 * allowed for another exchange and is not for this one. */
static int
before_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	BiTransfer *transfer = arg;

	if (transfer->given_up)
		return CURL_PREREQFUNC_ABORT;
	if (!is_allowed(transfer, bi_address_judge_text(ip, BI_ADDRESS_INNER)))
	{
		bi_transfer_give_up(transfer, BI_CAUSE_DENIED, "address %s is not allowed", ip);
		return CURL_PREREQFUNC_ABORT;
	}
	/* Forget an address that was refused before this one. */
	transfer->cause = BI_CAUSE_NONE;
	transfer->started = true;
	return CURL_PREREQFUNC_OK;
}

static size_t
send_body(char *bytes, size_t size, size_t n, void *arg)
{
	BiTransfer *transfer = arg;
	ssize_t		got;

	if (transfer->given_up)
		return CURL_READFUNC_ABORT;
	got = bi_exchange_body_get(transfer->ex, transfer->sent, bytes, size * n);
	if (got < 0)
	{
		bi_transfer_give_up(transfer, BI_CAUSE_LOCAL,
							"could not read temporary file: %s", strerror(errno));
		return CURL_READFUNC_ABORT;
	}
	transfer->sent += got;
	transfer->ex->moved += got;
	BI_CRASH_POINT("body", "sending");
	return got;
}

static int
seek_body(void *arg, curl_off_t offset, int origin)
{
	BiTransfer *transfer = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* Keeps the lines of the reply's header, but not those of 1xx replies before it, nor trailers. */
static size_t
keep_line(char *line, size_t size, size_t n, void *arg)
{
	BiTransfer *transfer = arg;
	size_t		len = size * n;

	transfer->header_bytes += len;
	if (transfer->header_bytes > HEADER_FLOOD)
	{
		if (!transfer->given_up)
			bi_transfer_give_up(transfer, BI_CAUSE_TOO_LARGE, "%s",
								"the headers of the reply are too large");
		return 0;
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
	{
		transfer->lines.len = 0;
		transfer->nlines = 0;
		transfer->lines_end = false;
	}
	else if (len <= 2)
		transfer->lines_end = true;
	else if (!transfer->lines_end && transfer->nlines < HEADERS_MAX &&
			 transfer->lines.len + len <= HEADER_BYTES_MAX &&
			 keep_bytes(&transfer->lines, line, len))
		transfer->nlines++;
	return len;
}

/* True if len more bytes may go into the spool.  The size that the reply announces counts before
 * the bytes come. */
static bool
is_within_limit(BiTransfer *transfer, size_t len)
{
	const BiExchange *ex = transfer->ex;
	int64		had = ex->download_before + bi_spool_size(ex->download);
	int64		all = had + len;
	curl_off_t	told = -1;
	char		why[200];

	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
	if (bi_spool_size(ex->download) == 0 && told > 0)
		all = Max(all, had + told);
	if (ex->download_max <= 0 || all <= ex->download_max)
		return true;
	snprintf(why, sizeof(why),
			 "the results have at least " INT64_FORMAT " kB,"
			 " and batchinf.max_result_size allows " INT64_FORMAT " kB",
			 all / 1024, ex->download_max / 1024);
	bi_transfer_give_up(transfer, BI_CAUSE_LIMIT, "%s", why);
	return false;
}

static bool
keep_download(BiTransfer *transfer, const char *bytes, size_t len)
{
	BiSpool    *spool = transfer->ex->download;
	char		limit[32];

	if (!is_within_limit(transfer, len))
		return false;
	if (bi_spool_put(spool, bytes, len) >= 0)
		return true;
	snprintf(limit, sizeof(limit), "%d kB", temp_file_limit);
	if (bi_spool_refused(spool))
		bi_transfer_give_up(transfer, BI_CAUSE_LIMIT,
							"the files of batch jobs in this process reach temp_file_limit (%s)",
							limit);
	else
		bi_transfer_give_up(transfer, BI_CAUSE_LOCAL, "could not write to temporary file: %s",
							strerror(errno));
	return false;
}

static size_t
keep_body(char *bytes, size_t size, size_t n, void *arg)
{
	BiTransfer *transfer = arg;
	size_t		len = size * n;
	long		status = 0;

	if (transfer->given_up)
		return CURL_WRITEFUNC_ERROR;
	transfer->ex->moved += len;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 2 && transfer->ex->download != NULL)
	{
		BI_CRASH_POINT("body", "storing");
		if (keep_download(transfer, bytes, len))
			return len;
	}
	else if (transfer->ex->cut_after > 0 && transfer->body.len + len > transfer->ex->cut_after)
		transfer->enough =
			keep_bytes(&transfer->body, bytes, transfer->ex->cut_after - transfer->body.len);
	else if (transfer->body.len + len > BI_REPLY_MAX)
		bi_transfer_give_up(transfer, BI_CAUSE_TOO_LARGE, "%s", "the reply is too large");
	else if (keep_bytes(&transfer->body, bytes, len))
		return len;
	else
		bi_transfer_give_up(transfer, BI_CAUSE_LOCAL, "%s", "out of memory");
	return CURL_WRITEFUNC_ERROR;
}

/* Overwrites the headers, which have the key, and frees them. */
static void
free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(headers);
}

static void
release_transfer(void *thing)
{
	BiTransfer *transfer = thing;

	transfer->given_up = true;
	if (transfer->multi != NULL)
		curl_multi_remove_handle(transfer->multi, transfer->easy);
	transfer->multi = NULL;
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	free_headers(transfer->headers);
	transfer->headers = NULL;
	free(transfer->lines.data);
	if (transfer->body.len > 0)
		explicit_bzero(transfer->body.data, transfer->body.len);
	free(transfer->body.data);
	transfer->lines = transfer->body = (BiBytes) {NULL, 0, 0};
}

BiTransfer *
bi_transfer_new(MemoryContext parent, BiExchange *ex)
{
	MemoryContext cxt = AllocSetContextCreate(parent, "batchinf exchange", ALLOCSET_SMALL_SIZES);
	BiTransfer *transfer = MemoryContextAllocZero(cxt, sizeof(BiTransfer));

	transfer->cxt = cxt;
	transfer->ex = ex;
	transfer->own = bi_foreign_own(cxt, transfer, release_transfer);
	ex->transport = BI_TRANSPORT_PENDING;
	ex->cause = BI_CAUSE_NONE;
	return transfer;
}

static CURLcode
set_callbacks(BiTransfer *transfer)
{
	BI_SET(transfer, CURLOPT_PRIVATE, transfer);
	BI_SET(transfer, CURLOPT_ERRORBUFFER, transfer->message);
	BI_SET(transfer, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	BI_SET(transfer, CURLOPT_OPENSOCKETDATA, transfer);
	BI_SET(transfer, CURLOPT_PREREQFUNCTION, before_request);
	BI_SET(transfer, CURLOPT_PREREQDATA, transfer);
	BI_SET(transfer, CURLOPT_READFUNCTION, send_body);
	BI_SET(transfer, CURLOPT_READDATA, transfer);
	BI_SET(transfer, CURLOPT_SEEKFUNCTION, seek_body);
	BI_SET(transfer, CURLOPT_SEEKDATA, transfer);
	BI_SET(transfer, CURLOPT_HEADERFUNCTION, keep_line);
	BI_SET(transfer, CURLOPT_HEADERDATA, transfer);
	BI_SET(transfer, CURLOPT_WRITEFUNCTION, keep_body);
	BI_SET(transfer, CURLOPT_WRITEDATA, transfer);
	return CURLE_OK;
}

CURLcode
bi_transfer_open(BiTransfer *transfer)
{
	transfer->easy = curl_easy_init();
	return transfer->easy ? set_callbacks(transfer) : CURLE_OUT_OF_MEMORY;
}

CURLcode
bi_transfer_launch(BiTransfer *transfer, CURLM *multi)
{
	if (curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	transfer->multi = multi;
	return CURLE_OK;
}

static int64
curl_count(const BiTransfer *transfer, CURLINFO which)
{
	curl_off_t	count = 0;

	curl_easy_getinfo(transfer->easy, which, &count);
	return count;
}

bool
bi_transfer_is_slow(BiTransfer *transfer, int64 now_ms)
{
	const BiExchange *ex = transfer->ex;
	BiSlowLook	look = {.now_ms = now_ms, .is_started = transfer->started};
	long		status = 0;
	char		why[sizeof(transfer->why)];

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	look.body_size = bi_exchange_body_size(ex);
	look.sent = curl_count(transfer, CURLINFO_SIZE_UPLOAD_T);
	look.received = transfer->header_bytes + curl_count(transfer, CURLINFO_SIZE_DOWNLOAD_T);
	look.is_replied = transfer->lines_end && status >= 200;
	look.is_spooled = look.is_replied && status < 300 && ex->download != NULL;
	if (!bi_slow_judge(&transfer->slow, &look, why, sizeof(why)))
		return false;
	bi_transfer_give_up(transfer, BI_CAUSE_STALLED, "%s", why);
	return true;
}

static BiCause
cause_of(const BiTransfer *transfer, CURLcode code)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return BI_CAUSE_RESOLVE;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_CRL_BADFILE:
			return BI_CAUSE_CERTIFICATE;
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_URL_MALFORMAT:
		case CURLE_LOGIN_DENIED:
			return transfer->started ? BI_CAUSE_CUT : BI_CAUSE_DENIED;
		case CURLE_OUT_OF_MEMORY:
			return BI_CAUSE_LOCAL;
		case CURLE_OPERATION_TIMEDOUT:
			return transfer->started ? BI_CAUSE_STALLED : BI_CAUSE_CONNECT;
		default:
			return transfer->started ? BI_CAUSE_CUT : BI_CAUSE_CONNECT;
	}
}

/* Returns libcurl's words, which may quote the peer, with ASCII characters only. */
static char *
plain_text(MemoryContext cxt, const char *text)
{
	char	   *plain = MemoryContextStrdup(cxt, text);

	for (char *c = plain; *c; c++)
	{
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return plain;
}

/* Decides by started, not by libcurl's code: before it nothing of the request was sent. */
static void
fill_failure(BiTransfer *transfer, CURLcode code)
{
	BiExchange *ex = transfer->ex;
	const char *words = transfer->message[0] ? transfer->message : curl_easy_strerror(code);

	ex->cause = transfer->cause;
	if (ex->cause == BI_CAUSE_NONE)
		ex->cause = cause_of(transfer, code);
	else
		words = transfer->why;
	ex->detail = plain_text(ex->cxt, words);
	ex->transport = transfer->started ? BI_TRANSPORT_BROKEN : BI_TRANSPORT_UNSENT;
}

static void
fill_reply(BiTransfer *transfer)
{
	BiExchange *ex = transfer->ex;
	long		status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	ex->status = (int) status;
	resetStringInfo(&ex->body);
	if (transfer->body.len > 0)
		appendBinaryStringInfo(&ex->body, transfer->body.data, (int) transfer->body.len);
	ex->transport = BI_TRANSPORT_REPLIED;
}

/* Fills in the headers, also of a reply that was cut: one may be the request's id. */
static void
fill_headers(BiTransfer *transfer)
{
	const char *line = transfer->lines.data;
	const char *end = line + transfer->lines.len;

	while (line < end)
	{
		const char *newline = memchr(line, '\n', end - line);
		const char *stop = newline ? newline : end;

		bi_exchange_add_reply_line(transfer->ex, line, stop - line);
		line = stop + 1;
	}
}

void
bi_transfer_finish(BiTransfer *transfer, CURLcode code)
{
	fill_headers(transfer);
	if ((code == CURLE_OK || transfer->enough) && transfer->cause == BI_CAUSE_NONE)
		fill_reply(transfer);
	else
		fill_failure(transfer, code);
	bi_foreign_release(transfer->own);
}
