/*
 * test/fuzz/target_header.c: the header of a reply, and what it says of waiting.
 *
 * Input: the header's lines; the first is a key that must not be seen in them.
 */
#include "postgres.h"

#include "base/exchange.h"
#include "fuzz.h"

#define NOW INT64CONST(1795176000)

static void
check_header(const BiHeader *header)
{
	for (const char *c = header->name; *c; c++)
		FUZZ_CHECK(*c >= ' ' && *c <= '~' && !(*c >= 'A' && *c <= 'Z'));
	for (const char *c = header->value; *c; c++)
		FUZZ_CHECK(*c >= ' ' && *c <= '~');
}

static bool
tells(const BiExchange *ex, const char *secret)
{
	ListCell   *lc;

	foreach(lc, ex->reply_headers)
		if (strstr(((const BiHeader *) lfirst(lc))->value, secret))
			return true;
	return strstr(ex->body.data, secret) != NULL;
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);
	char	   *secret = fuzz_line(&input);
	int64		wait;
	ListCell   *lc;

	appendBinaryStringInfo(&ex->body, input.data, (int) input.len);
	while (input.len > 0)
	{
		const char *stop = memchr(input.data, '\n', input.len);
		size_t		size = stop ? stop - input.data + 1 : input.len;

		bi_exchange_add_reply_line(ex, fuzz_copy(input.data, size), size);
		input.data += size;
		input.len -= size;
	}
	foreach(lc, ex->reply_headers)
		check_header(lfirst(lc));
	wait = bi_exchange_retry_after(ex, NOW);
	FUZZ_CHECK(wait >= -1);
	bi_exchange_scrub(ex, secret);
	FUZZ_CHECK(strlen(secret) < 8 || strspn(secret, "*") == strlen(secret) || secret[0] == '{' ||
			   !tells(ex, secret));
}
