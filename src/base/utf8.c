/*
 * base/utf8.c: bytes that should be UTF-8, and may not be.
 *
 * Knows PostgreSQL's rules for UTF-8, and nothing about what the bytes mean.
 */
#include "postgres.h"

#include "base/utf8.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

size_t
bi_utf8_size(const char *text, size_t len)
{
	size_t		size = (size_t) pg_utf_mblen((const unsigned char *) text);

	return size <= len && pg_utf8_islegal((const unsigned char *) text, (int) size) ? size : 0;
}

char *
bi_utf8_repair(const char *text, size_t len, size_t limit, size_t *out_len)
{
	StringInfoData out;

	initStringInfo(&out);
	while (len > 0)
	{
		size_t		size = *text ? bi_utf8_size(text, len) : 0;
		size_t		used = Max(size, 1);
		const char *character = size > 0 ? text : BI_UTF8_REPLACEMENT;

		if (size == 0)
			size = strlen(BI_UTF8_REPLACEMENT);
		if (out.len + size > limit)
			break;
		appendBinaryStringInfo(&out, character, (int) size);
		text += used;
		len -= used;
	}
	*out_len = out.len;
	return out.data;
}
