/*
 * base/exchange.c: one HTTP request and its reply, as plain values.
 *
 * Knows what HTTP says of headers, bodies and waiting, and nothing of connections,
 * providers or jobs; its only I/O is reading the spool that it sends.
 */
#include "postgres.h"

#include "base/blot.h"
#include "base/exchange.h"
#include "base/foreign.h"
#include "base/spool.h"
#include "datatype/timestamp.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

/* Overwrites the secrets of a BiExchange; the reply to a login is one too. */
static void
wipe_exchange(void *thing)
{
	BiExchange *ex = thing;

	bi_exchange_wipe(ex);
	explicit_bzero(ex->body.data, ex->body.len);
}

BiExchange *
bi_exchange_new(MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BiExchange *ex = palloc0(sizeof(BiExchange));

	ex->cxt = cxt;
	initStringInfo(&ex->head);
	initStringInfo(&ex->tail);
	initStringInfo(&ex->body);
	bi_foreign_own(cxt, ex, wipe_exchange);
	MemoryContextSwitchTo(old);
	return ex;
}

void
bi_exchange_request(BiExchange *ex, const char *method, const char *url)
{
	ex->method = MemoryContextStrdup(ex->cxt, method);
	ex->url = MemoryContextStrdup(ex->cxt, url);
}

/* Appends a header.  Takes over name and value, both palloc'd in the exchange's context. */
static List *
append_header(const BiExchange *ex, List *headers, char *name, char *value)
{
	MemoryContext old = MemoryContextSwitchTo(ex->cxt);
	BiHeader   *header = palloc(sizeof(BiHeader));

	header->name = name;
	header->value = value;
	headers = lappend(headers, header);
	MemoryContextSwitchTo(old);
	return headers;
}

void
bi_exchange_add_header(BiExchange *ex, const char *name, const char *value)
{
	ex->headers = append_header(ex, ex->headers,
								MemoryContextStrdup(ex->cxt, name),
								MemoryContextStrdup(ex->cxt, value));
}

static const char *
find_header(const List *headers, const char *name)
{
	ListCell   *lc;

	foreach(lc, headers)
	{
		const BiHeader *header = lfirst(lc);

		if (pg_strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

const char *
bi_exchange_request_header(const BiExchange *ex, const char *name)
{
	return find_header(ex->headers, name);
}

const char *
bi_exchange_reply_header(const BiExchange *ex, const char *name)
{
	return find_header(ex->reply_headers, name);
}

bool
bi_exchange_reply_is_page(const BiExchange *ex)
{
	const char *type = bi_exchange_reply_header(ex, "content-type");

	return type && pg_strncasecmp(type, "text/html", 9) == 0;
}

int64
bi_exchange_body_size(const BiExchange *ex)
{
	if (!ex->has_body)
		return 0;
	return (int64) ex->head.len + (ex->upload ? bi_spool_size(ex->upload) : 0) + ex->tail.len;
}

/* Copies the part of text that begins at offset, at most len bytes.  Returns their number. */
static size_t
copy_segment(const StringInfoData *text, int64 offset, char *bytes, size_t len)
{
	size_t		n = Min((size_t) (text->len - offset), len);

	memcpy(bytes, text->data + offset, n);
	return n;
}

ssize_t
bi_exchange_body_get(const BiExchange *ex, int64 offset, char *bytes, size_t len)
{
	int64		spooled = ex->upload ? bi_spool_size(ex->upload) : 0;
	int64		size = bi_exchange_body_size(ex);
	size_t		done = 0;

	len = Min(len, (size_t) Max(size - offset, 0));
	while (done < len)
	{
		int64		at = offset + done;
		ssize_t		n;

		if (at < ex->head.len)
			n = copy_segment(&ex->head, at, bytes + done, len - done);
		else if (at < ex->head.len + spooled)
		{
			at -= ex->head.len;
			n = bi_spool_get(ex->upload, at, bytes + done,
							 Min(len - done, (size_t) (spooled - at)));
		}
		else
			n = copy_segment(&ex->tail, at - ex->head.len - spooled, bytes + done, len - done);

		if (n == 0)
			errno = EIO;		/* the spool is shorter than it says */
		if (n <= 0)
			return -1;
		done += n;
	}
	return done;
}

/* Returns bytes as a string in the exchange's context, without white space at its ends. */
static char *
clean_text(const BiExchange *ex, const char *bytes, size_t len)
{
	char	   *text;

	while (len > 0 && (unsigned char) bytes[len - 1] <= ' ')
		len--;
	while (len > 0 && (unsigned char) bytes[0] <= ' ')
		bytes++, len--;
	text = MemoryContextAlloc(ex->cxt, len + 1);
	for (size_t i = 0; i < len; i++)
		text[i] = (bytes[i] >= ' ' && bytes[i] <= '~') ? bytes[i] : '?';
	text[len] = '\0';
	return text;
}

void
bi_exchange_add_reply_line(BiExchange *ex, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	char	   *name;

	if (colon == NULL || colon == line || *line == ' ' || *line == '\t')
		return;
	name = clean_text(ex, line, colon - line);
	for (char *c = name; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	ex->reply_headers = append_header(ex, ex->reply_headers, name,
									  clean_text(ex, colon + 1, line + len - colon - 1));
}

/* Reads 1 to max digits at *text and moves *text behind them.  Returns -1 if there are none, or
 * more. */
static int64
take_digits(const char **text, int max)
{
	int64		n = 0;
	int			i;

	for (i = 0; (*text)[i] >= '0' && (*text)[i] <= '9'; i++)
	{
		if (i == max)
			return -1;
		n = n * 10 + (*text)[i] - '0';
	}
	*text += i;
	return i > 0 ? n : -1;
}

/* Returns a number of units in milliseconds, rounded up; fractions are allowed.  -1 if invalid. */
static int64
parse_wait(const char *text, int64 unit)
{
	int64		n = take_digits(&text, 10);
	bool		fraction = n >= 0 && *text == '.';

	if (fraction)
		text += 1 + strspn(text + 1, "0123456789");
	if (n < 0 || *text != '\0')
		return -1;
	return (n + (fraction ? 1 : 0)) * unit;
}

/* Returns the month that text starts with, from 0; -1 if it does not start with one. */
static int
parse_month(const char *text)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int month = 0; month < 12; month++)
	{
		if (pg_strncasecmp(text, names + 3 * month, 3) == 0)
			return month;
	}
	return -1;
}

/* Reads an HTTP date (Sun, 06 Nov 1994 08:49:37 GMT) as a Unix time.  False if it is invalid. */
static bool
parse_date(const char *text, int64 *unix_time)
{
	int64		day;
	int			month;
	int64		year;
	int64		part[3];		/* hour, minute, second */

	text = strchr(text, ',');
	if (text == NULL)
		return false;
	text += 1 + strspn(text + 1, " ");
	day = take_digits(&text, 2);
	if (day < 1 || day > 31 || *text++ == '\0')
		return false;
	month = parse_month(text);
	if (month < 0 || text[3] == '\0')
		return false;
	text += 4;
	year = take_digits(&text, 4);
	if (year < 1970 || *text != ' ')
		return false;
	for (int i = 0; i < 3; i++)
	{
		text++;					/* a space, then colons */
		part[i] = take_digits(&text, 2);
		if (part[i] < 0 || part[i] > 60 || *text != (i < 2 ? ':' : ' '))
			return false;
	}
	*unix_time =
		(int64) (date2j((int) year, month + 1, (int) day) - UNIX_EPOCH_JDATE) * SECS_PER_DAY +
		part[0] * SECS_PER_HOUR + part[1] * SECS_PER_MINUTE + part[2];
	return true;
}

int64
bi_exchange_retry_after(const BiExchange *ex, int64 now_unix)
{
	const char *value = bi_exchange_reply_header(ex, "retry-after-ms");
	int64		wait = value ? parse_wait(value, 1) : -1;
	int64		date;

	if (wait >= 0)
		return wait;
	value = bi_exchange_reply_header(ex, "retry-after");
	if (value == NULL)
		return -1;
	wait = parse_wait(value, 1000);
	if (wait < 0 && parse_date(value, &date))
		wait = Max(date - now_unix, 0) * 1000;
	return wait;
}

void
bi_exchange_scrub(BiExchange *ex, const char *secret)
{
	MemoryContext cxt = AllocSetContextCreate(ex->cxt, "batchinf scrub", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BiBlot	   *blot = bi_blot_new(cxt);
	ListCell   *lc;

	bi_blot_add(blot, secret);
	bi_blot_out(blot, ex->body.data, ex->body.len);
	foreach(lc, ex->reply_headers)
	{
		BiHeader   *header = lfirst(lc);

		bi_blot_out(blot, header->value, strlen(header->value));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

void
bi_exchange_wipe(BiExchange *ex)
{
	ListCell   *lc;

	foreach(lc, ex->headers)
	{
		BiHeader   *header = lfirst(lc);

		explicit_bzero(header->value, strlen(header->value));
	}
	explicit_bzero(ex->head.data, ex->head.len);
}
