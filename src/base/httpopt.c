/*
 * base/httpopt.c: which requests may be made, and with which of libcurl's options.
 *
 * The policy of promise 6 stands here and in address.c: https, no redirects, TLS
 * verified, secrets to no other host, nothing that the environment decides.  Knows
 * settings, and nothing of how transfers run.
 */
#include "base/httpopt.h"

#include "base/address.h"
#include "base/guc.h"
#include "utils/memutils.h"

/* A metadata service of the machine answers at once, or it is not there. */
#define METADATA_MS_MAX 5000

/* The options that never vary. */
static const struct
{
	CURLoption	option;
	long		value;
}			fixed_options[] = {
	{CURLOPT_NOSIGNAL, 1},
	{CURLOPT_QUICK_EXIT, 1},	/* never wait for a resolver that hangs */
	{CURLOPT_NOPROGRESS, 1},
	{CURLOPT_FOLLOWLOCATION, 0},	/* a redirect would carry x-api-key to another host */
	{CURLOPT_NETRC, CURL_NETRC_IGNORED},
	{CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
	{CURLOPT_SSL_VERIFYPEER, 1},
	{CURLOPT_SSL_VERIFYHOST, 2},
	{CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	/* No HTTP/2: with it libcurl by itself sends again what a GOAWAY refused. */
	{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	{CURLOPT_PATH_AS_IS, 1},	/* signatures cover the path */
	{CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
	{CURLOPT_TCP_KEEPALIVE, 1},
	{CURLOPT_LOW_SPEED_LIMIT, 1}
};

/* Copies one part of a URL into a buffer.  False if it is missing or too long. */
static bool
get_part(CURLU *parsed, CURLUPart part, char *to, size_t size)
{
	char	   *text = NULL;
	bool		fits = curl_url_get(parsed, part, &text, 0) == CURLUE_OK &&
		strlcpy(to, text, size) < size;

	curl_free(text);
	return fits;
}

/* Fills scheme and host of url.  False if url is invalid. */
static bool
split_url(const char *url, char *scheme, size_t scheme_size, char *host, size_t host_size)
{
	CURLU	   *parsed = curl_url();
	bool		whole = parsed != NULL &&
		curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		get_part(parsed, CURLUPART_SCHEME, scheme, scheme_size) &&
		get_part(parsed, CURLUPART_HOST, host, host_size);

	curl_url_cleanup(parsed);
	return whole;
}

static bool
check_url(BiTransfer *transfer)
{
	char		scheme[16];
	char		host[256];
	BiAddress	address;

	if (!split_url(transfer->ex->url, scheme, sizeof(scheme), host, sizeof(host)))
	{
		bi_transfer_give_up(transfer, BI_CAUSE_DENIED, "%s", "the URL is not valid");
		return false;
	}
	transfer->metadata_allowed = transfer->ex->metadata;
	transfer->inner_allowed = transfer->ex->metadata || transfer->ex->allow_http ||
		bi_guc_http_host_allowed(host);
	/* Judge an address in the URL now: with a proxy, the resolved address is never seen. */
	address = bi_address_judge_text(host, BI_ADDRESS_OUTER);
	if (strcmp(scheme, "https") != 0 && !transfer->inner_allowed)
		bi_transfer_give_up(transfer, BI_CAUSE_DENIED, "host \"%s\" may be asked by https only",
							host);
	else if ((address == BI_ADDRESS_METADATA && !transfer->metadata_allowed) ||
			 (address == BI_ADDRESS_INNER && !transfer->inner_allowed))
		bi_transfer_give_up(transfer, BI_CAUSE_DENIED, "address %s is not allowed", host);
	return transfer->cause == BI_CAUSE_NONE;
}

/* False if a value has a control character.  A line break would begin another header, or a
 * request. */
static bool
check_headers(BiTransfer *transfer)
{
	ListCell   *lc;

	foreach(lc, transfer->ex->headers)
	{
		const BiHeader *header = lfirst(lc);

		for (const char *c = header->value; *c; c++)
		{
			if (((unsigned char) *c < ' ' && *c != '\t') || *c == 0x7f)
			{
				bi_transfer_give_up(transfer, BI_CAUSE_DENIED,
									"the value of header \"%s\" has a control character",
									header->name);
				return false;
			}
		}
	}
	return true;
}

static CURLcode
add_line(BiTransfer *transfer, const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);

	if (longer == NULL)
		return CURLE_OUT_OF_MEMORY;
	transfer->headers = longer;
	return CURLE_OK;
}

static CURLcode
set_headers(BiTransfer *transfer)
{
	ListCell   *lc;

	foreach(lc, transfer->ex->headers)
	{
		const BiHeader *header = lfirst(lc);
		const char *separator = *header->value ? ": " : ";";	/* libcurl's word for "no value" */
		size_t		size = strlen(header->name) + strlen(header->value) + 3;
		char	   *line = MemoryContextAlloc(transfer->cxt, size);
		CURLcode	code;

		snprintf(line, size, "%s%s%s", header->name, separator, header->value);
		code = add_line(transfer, line);
		explicit_bzero(line, size);
		BI_TRY(code);
	}
	BI_TRY(add_line(transfer, "Expect:"));
	if (bi_exchange_request_header(transfer->ex, "content-type") == NULL)
		BI_TRY(add_line(transfer, "Content-Type:"));
	BI_SET(transfer, CURLOPT_HTTPHEADER, transfer->headers);
	return CURLE_OK;
}

/* True if the method may be sent twice.  All others use a new connection.  If a reused connection
 * turns out to be dead, libcurl sends the request again by itself, even though the first one may
 * have had its effect (promise 1). */
static bool
is_repeatable(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
		strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
}

static CURLcode
set_request(BiTransfer *transfer)
{
	const BiExchange *ex = transfer->ex;

	BI_SET(transfer, CURLOPT_URL, ex->url);
	if (ex->has_body || strcmp(ex->method, "POST") == 0)
	{
		BI_SET(transfer, CURLOPT_POST, 1L);
		BI_SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) bi_exchange_body_size(ex));
	}
	if (strcmp(ex->method, "HEAD") == 0)
		BI_SET(transfer, CURLOPT_NOBODY, 1L);
	else
		BI_SET(transfer, CURLOPT_CUSTOMREQUEST, ex->method);
	BI_SET(transfer, CURLOPT_FRESH_CONNECT, is_repeatable(ex->method) ? 0L : 1L);
	BI_SET(transfer, CURLOPT_USERAGENT, "batchinf/" BATCHINF_VERSION);
	/* Ask for downloads that are not packed, so that their size can be compared.  libcurl unpacks
	 * in any case what a server packs without being asked. */
	BI_SET(transfer, CURLOPT_ACCEPT_ENCODING, ex->download ? "identity" : "");
	return set_headers(transfer);
}

static int
timeout_of(const BiTransfer *transfer, int setting_ms)
{
	return transfer->metadata_allowed ? Min(setting_ms, METADATA_MS_MAX) : setting_ms;
}

static long
in_seconds(int ms)
{
	return Max(((long) ms + 999) / 1000, 1);
}

static CURLcode
set_times(BiTransfer *transfer)
{
	int			connect_ms = timeout_of(transfer, bi_guc_connect_timeout);
	int			stall_ms = timeout_of(transfer, bi_guc_stall_timeout);

	stall_ms = Max(stall_ms, transfer->ex->patience_ms);
	transfer->slow.reply_ms = (int64) connect_ms + stall_ms;
	transfer->slow.window_ms = stall_ms;
	BI_SET(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long) connect_ms);
	BI_SET(transfer, CURLOPT_LOW_SPEED_TIME, in_seconds(stall_ms));
	return CURLE_OK;
}

/* Sets all that the environment could change otherwise. */
static CURLcode
set_connection(BiTransfer *transfer)
{
	const char *proxy = bi_guc_proxy && !transfer->metadata_allowed ? bi_guc_proxy : "";

	for (int i = 0; i < lengthof(fixed_options); i++)
		BI_SET(transfer, fixed_options[i].option, fixed_options[i].value);
	BI_SET(transfer, CURLOPT_PROTOCOLS_STR, transfer->inner_allowed ? "http,https" : "https");
	BI_SET(transfer, CURLOPT_PROXY, proxy);
	BI_SET(transfer, CURLOPT_NOPROXY, "");
	if (*proxy)
		transfer->inner_allowed = true; /* from here on it is the proxy's address */
	if (bi_guc_ca_file != NULL && *bi_guc_ca_file)
	{
		BI_SET(transfer, CURLOPT_CAINFO, bi_guc_ca_file);
		BI_SET(transfer, CURLOPT_PROXY_CAINFO, bi_guc_ca_file);
	}
	return set_times(transfer);
}

bool
bi_httpopt_check(BiTransfer *transfer)
{
	return check_url(transfer) && check_headers(transfer);
}

CURLcode
bi_httpopt_set(BiTransfer *transfer)
{
	BI_TRY(set_connection(transfer));
	return set_request(transfer);
}
