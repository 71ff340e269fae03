/*
 * base/pointer.c: JSON pointers (RFC 6901), read from URI fragments and written.
 *
 * Knows trees, and nothing about schemas.
 */
#include "postgres.h"

#include "base/pointer.h"

/* Returns the array index that a step names; -1 if it names none. */
static int
parse_index(const char *step)
{
	size_t		len = strlen(step);

	if (len == 0 || len > 9 || strspn(step, "0123456789") != len || (len > 1 && *step == '0'))
		return -1;
	return (int) strtol(step, NULL, 10);
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = c ? strchr(digits, pg_ascii_tolower((unsigned char) c)) : NULL;

	return found ? (int) (found - digits) : -1;
}

static char *
decode_percents(const char *from, size_t len)
{
	char	   *step = palloc(len + 1);
	char	   *to = step;

	for (size_t i = 0; i < len; i++)
	{
		if (from[i] == '%' && i + 2 < len && hex_digit(from[i + 1]) >= 0 &&
			hex_digit(from[i + 2]) >= 0)
		{
			*to++ = (char) (hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
			i += 2;
		}
		else
			*to++ = from[i];
	}
	*to = '\0';
	return step;
}

/* Replaces ~0 by a tilde and ~1 by a slash. */
static void
decode_tildes(char *step)
{
	char	   *to = step;

	for (char *from = step; *from; from++)
	{
		if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
			*to++ = *++from == '0' ? '~' : '/';
		else
			*to++ = *from;
	}
	*to = '\0';
}

BiJson *
bi_pointer_resolve(const BiJson *root, const char *ref)
{
	const BiJson *at = root;

	if (ref[0] != '#' || (ref[1] != '\0' && ref[1] != '/'))
		return NULL;
	for (ref++; at && *ref == '/';)
	{
		size_t		len = strcspn(++ref, "/");
		char	   *step = decode_percents(ref, len);

		decode_tildes(step);
		at = bi_json_type(at) == BI_JSON_ARRAY
			? bi_json_item(at, parse_index(step)) : bi_json_get(at, step);
		pfree(step);
		ref += len;
	}
	return unconstify(BiJson *, at);
}

void
bi_pointer_append(StringInfo out, const char *step)
{
	appendStringInfoChar(out, '/');
	for (; *step; step++)
	{
		if (*step == '~' || *step == '/')
			appendStringInfoString(out, *step == '~' ? "~0" : "~1");
		else
			appendStringInfoChar(out, *step);
	}
}
