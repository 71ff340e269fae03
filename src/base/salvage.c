/*
 * base/salvage.c: what can be read of JSON that is broken.
 *
 * A parser refuses the whole text for one odd byte.  This scan counts brackets, skips strings, and
 * looks at nothing else.  So it finds the id of an answer whose rest is lost.  If quotes or
 * brackets before the wanted string are missing, it finds nothing, or the wrong place.  So use what
 * it returns only if a wrong find can be recognized.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/salvage.h"
#include "miscadmin.h"

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) && *p)
		p++;
	return p;
}

/* Returns the place behind the string that begins at p; NULL if it does not end. */
static const char *
skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++)
	{
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

/* Returns the place of the value, if the string that ends at p is a key; otherwise NULL. */
static const char *
value_behind(const char *p, const char *end)
{
	p = skip_space(p, end);
	return p < end && *p == ':' ? skip_space(p + 1, end) : NULL;
}

static bool
is_word(const char *quoted, const char *end, const char *word)
{
	size_t		len = strlen(word);

	return (size_t) (end - quoted) == len + 2 && memcmp(quoted + 1, word, len) == 0;
}

static char *
read_string(const char *p, const char *end)
{
	const char *stop = p < end && *p == '"' ? skip_string(p, end) : NULL;

	return stop ? bi_json_cstring(bi_json_parse(p, stop - p)) : NULL;
}

char *
bi_salvage_string(const char *text, size_t len, const char *const *path)
{
	const char *end = text + len;
	const char *p = text;
	int			depth = 0;		/* brackets that are open */
	int			found = 0;		/* keys of path whose objects are among them */

	while (p && p < end)
	{
		const char *stop = *p == '"' ? skip_string(p, end) : p + 1;
		const char *value = NULL;

		CHECK_FOR_INTERRUPTS();
		if (*p == '"' && stop && depth == found + 1)
			value = value_behind(stop, end);
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
		{
			depth = Max(depth - 1, 0);
			found = Min(found, Max(depth - 1, 0));
		}
		if (value && is_word(p, stop, path[found]))
		{
			char	   *string = path[found + 1] ? NULL : read_string(value, end);

			if (string)
				return string;
			if (path[found + 1] && value < end && *value == '{')
				found++;
			stop = value;
		}
		p = stop;
	}
	return NULL;
}
