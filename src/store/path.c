/*
 * store/path.c: the cost of an SQL/JSON path, counted from its text.
 *
 * Three things multiply: each ".**" visits all values below each value, each list of
 * subscripts finds some values several times, and each like_regex compiles a pattern.  Their
 * number is limited.  What is left costs no more than the square of the output's size; while a
 * path is applied, engine/results/budget.c bounds that.
 *
 * It reads the text that PostgreSQL prints of the parsed path: there is one way to write
 * each thing, and strings are quoted as in JSON.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/pattern.h"
#include "mb/pg_wchar.h"
#include "store/path.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define DEEP_MAX 2				/* of ".**" */
#define SUBSCRIPTS_MAX 1000		/* the product of all lists of subscripts */

#define LIKE "like_regex "

/* One pass over the text of a path. */
typedef struct Scan
{
	const char *start;
	const char *at;
	int			deep;			/* how many ".**" so far */
	int64		subscripts;		/* the product of the lists of subscripts that are closed */
	int			commas[32];		/* in each open bracket; deeper ones are not counted */
	int			open;			/* how many brackets are open */
} Scan;

/* Returns what follows the string that begins at p. */
static const char *
skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* True if the flags behind a pattern say that it is literal. */
static bool
is_literal(const char *p)
{
	const char *end = strncmp(p, " flag \"", 7) == 0 ? skip_string(p + 6) : p;

	for (; p < end; p++)
		if (*p == 'q')
			return true;
	return false;
}

/* Passes over a string.  Returns why it may not be used, if it is a pattern; else NULL. */
static char *
scan_string(Scan *scan)
{
	const char *string = scan->at;
	bool		is_pattern = string - scan->start >= (int) strlen(LIKE) &&
		memcmp(string - strlen(LIKE), LIKE, strlen(LIKE)) == 0;
	char	   *why = NULL;
	size_t		len;
	const char *pattern;

	scan->at = skip_string(string);
	if (!is_pattern || is_literal(scan->at))
		return NULL;
	pattern = bi_json_string(bi_json_parse(string, scan->at - string), &len);
	if (pattern == NULL || bi_pattern_compile(pattern, len, &why))
		return NULL;
	return psprintf("its like_regex has a regular expression that we cannot use: %s", why);
}

static void
scan_bracket(Scan *scan)
{
	char		c = *scan->at++;

	if (c == '[' && scan->open < lengthof(scan->commas))
		scan->commas[scan->open++] = 0;
	else if (c == ',' && scan->open > 0)
		scan->commas[scan->open - 1]++;
	else if (c == ']' && scan->open > 0)
	{
		scan->open--;
		scan->subscripts = Min(scan->subscripts * (1 + scan->commas[scan->open]), 1000000);
	}
}

static char *
scan_path(Scan *scan)
{
	char	   *why = NULL;

	while (*scan->at && why == NULL)
	{
		if (*scan->at == '"')
			why = scan_string(scan);
		else if (strncmp(scan->at, "**", 2) == 0)
		{
			scan->deep++;
			scan->at += 2;
		}
		else
			scan_bracket(scan);
	}
	return why;
}

char *
bi_path_refuse(Datum jsonpath)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(jsonpath_out, jsonpath));
	Scan		scan = {.subscripts = 1};
	char	   *why;

	scan.start = scan.at = pg_server_to_any(text, (int) strlen(text), PG_UTF8);
	why = scan_path(&scan);
	if (why)
		return why;
	if (scan.deep > DEEP_MAX)
		return psprintf("it has \".**\" %d times, of %d at most", scan.deep, DEEP_MAX);
	if (scan.subscripts > SUBSCRIPTS_MAX)
		return psprintf("its subscripts may find one value " INT64_FORMAT " times, of %d at most",
						scan.subscripts, SUBSCRIPTS_MAX);
	return NULL;
}
