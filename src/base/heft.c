/*
 * base/heft.c: the memory that the tree of a JSON text takes, counted from its bytes.
 *
 * json-c spends 800 bytes on "{}" and 100 on "1,": 64 MB of text may become 17 GB.  The
 * weights here are what json-c 0.16 allocates on a 64-bit machine, rounded up.  PostgreSQL's
 * jsonb takes less.  They are constants, so that a text is refused everywhere or nowhere.
 */
#include "postgres.h"

#include "base/heft.h"
#include "miscadmin.h"

#define OBJECT 850				/* a table with space for ten members */
#define MEMBER 120				/* a key, and space in a larger table */
#define ARRAY 200
#define ITEM 16					/* space in an array that grows by doubling */
#define STRING 80				/* in addition to its bytes */
#define OTHER 100				/* a number keeps its text */
#define DENSEST (OBJECT / 2)	/* no text takes more than this for each of its bytes */

/* Returns the place behind the string whose opening quote is before p. */
static const char *
skip_string(const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *
skip_other(const char *p, const char *end)
{
	while (p < end && strchr("{}[]:,\" \t\r\n", *p) == NULL)
		p++;
	return p;
}

/* Adds the weight of what begins at p.  Returns the place behind it. */
static const char *
weigh(const char *p, const char *end, size_t *heft)
{
	const char *start = p++;

	switch (*start)
	{
		case '{':
			*heft += OBJECT;
			return p;
		case '[':
			*heft += ARRAY;
			return p;
		case ':':
			*heft += MEMBER;
			return p;
		case ',':
			*heft += ITEM;
			return p;
		case '"':
			p = skip_string(p, end);
			*heft += STRING + (p - start);
			return p;
		case '}':
		case ']':
		case ' ':
		case '\t':
		case '\r':
		case '\n':
			return p;
	}
	*heft += OTHER;
	return skip_other(p, end);
}

bool
bi_heft_exceeds(const char *text, size_t len, size_t max)
{
	const char *end = text + len;
	size_t		heft = 0;

	if (len <= max / DENSEST)
		return false;
	for (const char *p = text; p < end && heft <= max;)
	{
		CHECK_FOR_INTERRUPTS();
		p = weigh(p, end, &heft);
	}
	return heft > max;
}
