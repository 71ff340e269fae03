/*
 * base/token.c: the tokens of JSON text: a walk over them, and the writing of strings.
 *
 * Knows the standard's grammar of single tokens, and no tree.  It checks a text before
 * json-c reads it, because json-c is laxer than the standard and keeps whole
 * numbers as machine words.
 */
#include "postgres.h"

#include "base/token.h"
#include "miscadmin.h"

#define SAFE_DIGITS 18			/* this many digits always fit an int64 */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Each skip_ function returns the place behind the token; NULL if it is invalid. */

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Sets *odd for a whole number that a machine word might not keep as it was written. */
static const char *
skip_number(const char *p, const char *end, bool *odd)
{
	const char *start = p;
	const char *digits = *p == '-' ? p + 1 : p;

	p = skip_digits(digits, end);
	if (p == digits || (*digits == '0' && p - digits > 1))
		return NULL;
	*odd = p - digits > SAFE_DIGITS || (digits > start && *digits == '0');
	if (p < end && *p == '.')
	{
		digits = p + 1;
		*odd = false;
		if ((p = skip_digits(digits, end)) == digits)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		digits = p + 1;
		*odd = false;
		if (digits < end && (*digits == '+' || *digits == '-'))
			digits++;
		if ((p = skip_digits(digits, end)) == digits)
			return NULL;
	}
	return p;
}

/* Returns the escape of a byte; NULL if it needs none. */
static const char *
escape_of(unsigned char c, char *hex)
{
	switch (c)
	{
		case '"':
			return "\\\"";
		case '\\':
			return "\\\\";
		case '\b':
			return "\\b";
		case '\f':
			return "\\f";
		case '\n':
			return "\\n";
		case '\r':
			return "\\r";
		case '\t':
			return "\\t";
	}
	if (c >= ' ')
		return NULL;
	hex[4] = c < 16 ? '0' : '1';
	hex[5] = "0123456789abcdef"[c & 15];
	return hex;
}

/* A walk over a text, and the copy of it with some tokens replaced. */
typedef struct Walk
{
	const char *end;
	bool		lenient;
	StringInfo	marked;			/* without data until something is replaced */
	const char *copied;			/* so far */
} Walk;

/* Replaces the text from start to stop by words. */
static void
replace(Walk *walk, const char *start, const char *stop, const char *words)
{
	if (walk->marked->data == NULL)
		initStringInfo(walk->marked);
	appendBinaryStringInfo(walk->marked, walk->copied, (int) (start - walk->copied));
	appendStringInfoString(walk->marked, words);
	walk->copied = stop;
}

/* Sets *nul if it has an escaped NUL byte. */
static const char *
skip_string(Walk *walk, const char *p, bool *nul)
{
	*nul = false;
	for (p++; p < walk->end; p++)
	{
		if (*p == '"')
			return p + 1;
		if ((unsigned char) *p < ' ')
		{
			char		hex[] = "\\u00xx";

			if (!walk->lenient)
				return NULL;
			replace(walk, p, p + 1, escape_of((unsigned char) *p, hex));
		}
		if (*p == '\\')
		{
			if (walk->end - p > 5 && memcmp(p, "\\u0000", 6) == 0)
				*nul = true;
			p++;
		}
	}
	return NULL;
}

/* Skips NaN and infinities, which Python and others write. */
static const char *
skip_no_number(Walk *walk, const char *p)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

	for (int i = 0; walk->lenient && i < lengthof(words); i++)
	{
		size_t		len = strlen(words[i]);

		if ((size_t) (walk->end - p) < len || memcmp(p, words[i], len) != 0)
			continue;
		replace(walk, p, p + len, "null");
		return p + len;
	}
	return NULL;
}

/*
 * True if the string before p is a key.  (A tree cuts keys at a NUL byte, so they must have none.)
 */
static bool
is_key(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p < end && *p == ':';
}

static const char *
skip_token(Walk *walk, const char *p)
{
	const char *end = walk->end;
	const char *stop = skip_no_number(walk, p);
	bool		nul;
	bool		odd = false;

	if (stop)
		return stop;
	if (*p == '"')
	{
		p = skip_string(walk, p, &nul);
		return p && nul && is_key(p, end) ? NULL : p;
	}
	if (*p == '-' || (*p >= '0' && *p <= '9'))
	{
		p = skip_number(p, end, &odd);
		if (p && odd)
			replace(walk, p, p, BI_TOKEN_MARK);
		return p;
	}
	if (end - p >= 4 && (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0))
		return p + 4;
	if (end - p >= 5 && memcmp(p, "false", 5) == 0)
		return p + 5;
	return strchr("{}[]:,", *p) && *p ? p + 1 : NULL;
}

bool
bi_token_walk(const char *text, size_t len, int max_depth, bool lenient,
			  StringInfo marked)
{
	Walk		walk = {text + len, lenient, marked, text};
	const char *p = text;
	char		before = 0;
	int			depth = 0;

	while (p < walk.end)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_space(*p))
		{
			p++;
			continue;
		}
		depth += *p == '{' || *p == '[' ? 1 : *p == '}' || *p == ']' ? -1 : 0;
		if (before == ',' && (*p == '}' || *p == ']'))
			return false;
		before = *p;
		if (depth > max_depth || (p = skip_token(&walk, p)) == NULL)
			return false;
	}
	if (marked->data)
		appendBinaryStringInfo(marked, walk.copied, (int) (walk.end - walk.copied));
	return true;
}

void
bi_token_append_string(StringInfo out, const char *utf8, size_t len)
{
	char		hex[] = "\\u00xx";
	size_t		copied = 0;

	appendStringInfoChar(out, '"');
	for (size_t i = 0; i < len; i++)
	{
		const char *escape = escape_of((unsigned char) utf8[i], hex);

		if (escape == NULL)
			continue;
		appendBinaryStringInfo(out, utf8 + copied, (int) (i - copied));
		appendStringInfoString(out, escape);
		copied = i + 1;
	}
	appendBinaryStringInfo(out, utf8 + copied, (int) (len - copied));
	appendStringInfoChar(out, '"');
}

size_t
bi_token_string_size(const char *utf8, size_t len)
{
	char		hex[] = "\\u00xx";
	size_t		size = 2;

	for (size_t i = 0; i < len; i++)
	{
		const char *escape = escape_of((unsigned char) utf8[i], hex);

		size += escape ? strlen(escape) : 1;
	}
	return size;
}
