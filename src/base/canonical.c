/*
 * base/canonical.c: the canonical request of AWS Signature Version 4.
 *
 * It goes straight into the hash, so that no copy of a session token stays in a buffer.
 * Knows nothing of keys.
 */
#include "postgres.h"

#include "base/canonical.h"

void
bi_canonical_refuse(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot sign request to AWS: %s", why)));
}

void
bi_canonical_split(const char *text, bool as_is, BiCanonicalUrl *url)
{
	const char *port;

	memset(url, 0, sizeof(BiCanonicalUrl));
	url->as_is = as_is;
	url->https = strncmp(text, "https://", 8) == 0;
	if (!url->https && strncmp(text, "http://", 7) != 0)
		bi_canonical_refuse("its URL is neither https nor http");
	url->host = text + (url->https ? 8 : 7);
	url->host_len = strcspn(url->host, "/?#");
	if (url->host_len == 0 || memchr(url->host, '@', url->host_len))
		bi_canonical_refuse("its URL has no plain host");
	url->path = url->host + url->host_len;
	url->path_len = strcspn(url->path, "?#");
	url->query = url->path + url->path_len;
	if (*url->query == '?')
		url->query_len = strcspn(++url->query, "#");

	port = url->https ? ":443" : ":80";
	if (url->host_len > strlen(port) && strncmp(url->path - strlen(port), port, strlen(port)) == 0)
		url->host_len -= strlen(port);
}

static void
append_encoded(StringInfo out, unsigned char c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~')
		appendStringInfoChar(out, c);
	else
		appendStringInfo(out, "%%%02X", c);
}

/* Takes the last segment, with its slash, off the path. */
static void
drop_segment(StringInfo path)
{
	while (path->len > 0 && path->data[--path->len] != '/')
		continue;
	path->data[path->len] = '\0';
}

/* Removes dot segments and empty segments, and percent-encodes (again) each byte except slashes. */
static char *
encode_path(const char *path, int len)
{
	StringInfoData out;
	const char *end = path + len;
	bool		slash = len > 0 && end[-1] == '/';

	initStringInfo(&out);
	while (path < end)
	{
		const char *stop = memchr(path, '/', end - path);
		int			n = (stop ? stop : end) - path;

		if (n == 2 && memcmp(path, "..", 2) == 0)
			drop_segment(&out);
		else if (n > 0 && !(n == 1 && *path == '.'))
		{
			appendStringInfoChar(&out, '/');
			for (int i = 0; i < n; i++)
				append_encoded(&out, path[i]);
		}
		path += n + 1;
	}
	if (slash || out.len == 0)
		appendStringInfoChar(&out, '/');
	return out.data;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Encodes each byte in the one way that AWS accepts, however it was encoded before. */
static char *
encode_part(const char *text, int len)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < len; i++)
	{
		if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 &&
			hex_digit(text[i + 2]) >= 0)
		{
			append_encoded(&out, hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		}
		else
			append_encoded(&out, text[i]);
	}
	return out.data;
}

static int
compare_pairs(const ListCell *a, const ListCell *b)
{
	const BiHeader *one = lfirst(a);
	const BiHeader *two = lfirst(b);
	int			order = strcmp(one->name, two->name);

	return order ? order : strcmp(one->value, two->value);
}

static void
hash_query(BiDigest *hash, const char *query, int len)
{
	const char *end = query + len;
	List	   *pairs = NIL;
	ListCell   *lc;

	for (int n; query < end; query += n + 1)
	{
		const char *stop = memchr(query, '&', end - query);
		const char *equals;
		BiHeader   *pair;

		n = (stop ? stop : end) - query;
		if (n == 0)
			continue;
		equals = memchr(query, '=', n);
		pair = palloc(sizeof(BiHeader));
		pair->name = encode_part(query, equals ? equals - query : n);
		pair->value = equals ? encode_part(equals + 1, query + n - equals - 1) : pstrdup("");
		pairs = lappend(pairs, pair);
	}
	list_sort(pairs, compare_pairs);
	foreach(lc, pairs)
	{
		const BiHeader *pair = lfirst(lc);

		if (foreach_current_index(lc) > 0)
			bi_digest_text(hash, "&");
		bi_digest_text(hash, pair->name);
		bi_digest_text(hash, "=");
		bi_digest_text(hash, pair->value);
	}
}

/* False for headers that a proxy may change, or that libcurl sets by itself. */
static bool
may_sign(const char *name)
{
	static const char *const never[] = {
		"authorization", "cache-control", "connection", "expect", "from", "keep-alive",
		"max-forwards", "pragma", "referer", "te", "trailer", "transfer-encoding", "upgrade",
		"user-agent", "x-amzn-trace-id"
	};

	for (int i = 0; i < lengthof(never); i++)
	{
		if (pg_strcasecmp(name, never[i]) == 0)
			return false;
	}
	return pg_strncasecmp(name, "proxy-", 6) != 0 && pg_strncasecmp(name, "sec-", 4) != 0;
}

/* Inserts the header at its place by name, behind others of that name. */
static List *
insert_header(List *sorted, const char *name, char *value)
{
	BiHeader   *header = palloc(sizeof(BiHeader));
	int			place = list_length(sorted);

	header->name = pstrdup(name);
	for (char *c = header->name; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	header->value = value;
	while (place > 0 && strcmp(((BiHeader *) list_nth(sorted, place - 1))->name, header->name) > 0)
		place--;
	return list_insert_nth(sorted, place, header);
}

List *
bi_canonical_headers(const BiExchange *ex, const BiCanonicalUrl *url)
{
	List	   *chosen = NIL;
	ListCell   *lc;

	foreach(lc, ex->headers)
	{
		const BiHeader *header = lfirst(lc);

		if (may_sign(header->name))
			chosen = insert_header(chosen, header->name, header->value);
	}
	if (bi_exchange_request_header(ex, "host") == NULL)
		chosen = insert_header(chosen, "host", pnstrdup(url->host, url->host_len));
	return chosen;
}

/* Hashes the value without white space at its ends, and with one space for each run of it. */
static void
hash_value(BiDigest *hash, const char *value)
{
	bool		first = true;

	for (;;)
	{
		size_t		n;

		value += strspn(value, " \t\r\n");
		n = strcspn(value, " \t\r\n");
		if (n == 0)
			break;
		if (!first)
			bi_digest_text(hash, " ");
		bi_digest_bytes(hash, value, n);
		value += n;
		first = false;
	}
}

/* Hashes one line for each name: values of the same name are joined by commas. */
static void
hash_headers(BiDigest *hash, const List *headers)
{
	const char *last = NULL;
	ListCell   *lc;

	foreach(lc, headers)
	{
		const BiHeader *header = lfirst(lc);

		if (last && strcmp(last, header->name) == 0)
			bi_digest_text(hash, ",");
		else
		{
			if (last)
				bi_digest_text(hash, "\n");
			bi_digest_text(hash, header->name);
			bi_digest_text(hash, ":");
		}
		hash_value(hash, header->value);
		last = header->name;
	}
	bi_digest_text(hash, "\n");
}

char *
bi_canonical_names(const List *headers)
{
	StringInfoData out;
	const char *last = NULL;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, headers)
	{
		const BiHeader *header = lfirst(lc);

		if (last == NULL || strcmp(last, header->name) != 0)
			appendStringInfo(&out, "%s%s", last ? ";" : "", header->name);
		last = header->name;
	}
	return out.data;
}

void
bi_canonical_hash(const BiExchange *ex, const BiCanonicalUrl *url, const List *headers,
				  const char *names,
				  const char *payload, char *hex)
{
	const char *path = url->path_len == 0 ? "/" :
		url->as_is ? pnstrdup(url->path, url->path_len) : encode_path(url->path, url->path_len);
	BiDigest	hash;

	bi_digest_begin(&hash);
	bi_digest_text(&hash, ex->method);
	bi_digest_text(&hash, "\n");
	bi_digest_text(&hash, path);
	bi_digest_text(&hash, "\n");
	hash_query(&hash, url->query, url->query_len);
	bi_digest_text(&hash, "\n");
	hash_headers(&hash, headers);
	bi_digest_text(&hash, "\n");
	bi_digest_text(&hash, names);
	bi_digest_text(&hash, "\n");
	bi_digest_text(&hash, payload);
	bi_digest_end(&hash, hex);
}
