/*
 * base/regsize.c: the size of a regular expression, before anything is compiled.
 *
 * PostgreSQL's compiler writes repetitions out: x{38} is 38 states.  It then removes the
 * empty ways between them, at a cost that grows with the cube of how many pieces in a row
 * may match nothing: ((x?){38}){38} takes seconds and hundreds of megabytes, (x{38}){38}
 * takes a millisecond.  So a piece that may match nothing counts LOOSE times.  Constraints
 * (^, $, \y, look-around) are worse: they are pushed through all that may stand beside them.
 * (\y){0,25} takes a second.  So their number counts squared.
 *
 * The count depends on the text only.  The same pattern is accepted or refused on every
 * machine and with every version of PostgreSQL.  It is never too small for a pattern that
 * the compiler takes; where this file misreads a malformed pattern the compiler reports it.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/regsize.h"
#include "mb/pg_wchar.h"

#define LOOSE 5					/* the factor for a piece that may match nothing */
#define TIGHT 8					/* the factor for the square of the number of constraints */
#define CLASS_BYTES 32			/* bytes of a bracket expression that count as one atom */
#define NESTED_MAX 100			/* parentheses in parentheses */
#define SIZE_MAX_COUNTED INT64CONST(1000000000000)
#define TIGHT_MAX_COUNTED 1000000

/* A part of the pattern. */
typedef struct Part
{
	int64		atoms;
	int64		loose;			/* pieces that may match nothing */
	int64		tight;			/* constraints; one that looks at words is four */
	bool		empty;			/* all of it may match nothing */
} Part;

typedef struct Scan
{
	const char *at;
	const char *end;
	int			nested;
	int			looking;		/* look-arounds that are open */
	bool		looked;
	const char *why;
} Scan;

static Part scan_alternatives(Scan *scan);

static bool
comes(const Scan *scan, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (scan->end - scan->at) >= len && memcmp(scan->at, text, len) == 0;
}

static void
skip(Scan *scan, size_t n)
{
	scan->at += Min(n, (size_t) (scan->end - scan->at));
}

static bool
take(Scan *scan, const char *text)
{
	if (!comes(scan, text))
		return false;
	skip(scan, strlen(text));
	return true;
}

static Part
add(Part a, Part b)
{
	a.atoms = Min(a.atoms + b.atoms, SIZE_MAX_COUNTED);
	a.loose = Min(a.loose + b.loose, SIZE_MAX_COUNTED);
	a.tight = Min(a.tight + b.tight, TIGHT_MAX_COUNTED);
	return a;
}

static Part
repeat(Part part, int64 times)
{
	part.atoms = Min(part.atoms * times, SIZE_MAX_COUNTED);
	part.loose = Min(part.loose * times, SIZE_MAX_COUNTED);
	part.tight = Min(part.tight * times, TIGHT_MAX_COUNTED);
	return part;
}

/* Reads a bracket expression, from behind its "[" to its "]". */
static Part
scan_class(Scan *scan)
{
	const char *start = scan->at;

	if (take(scan, "[:<:]]") || take(scan, "[:>:]]"))
		return (Part) {.empty = true, .tight = 4};
	(void) take(scan, "^");
	(void) take(scan, "]");
	while (scan->at < scan->end && *scan->at != ']')
	{
		char		kind = scan->end - scan->at > 1 && scan->at[0] == '[' ? scan->at[1] : 0;

		if (kind == ':' || kind == '.' || kind == '=')
		{
			const char	close[] = {kind, ']', '\0'};

			skip(scan, 2);
			while (scan->at < scan->end && !comes(scan, close))
				skip(scan, 1);
			skip(scan, 2);
		}
		else
			skip(scan, *scan->at == '\\' ? 2 : 1);
	}
	skip(scan, 1);
	return (Part) {.atoms = 1 + (scan->at - start) / CLASS_BYTES};
}

/* Reads a group, from behind its "(" to its ")". */
static Part
scan_group(Scan *scan)
{
	bool		look = take(scan, "?=") || take(scan, "?!") || take(scan, "?<=") ||
		take(scan, "?<!");
	Part		part = {0};

	if (!look)
		(void) take(scan, "?:");
	if (look && scan->looking > 0)
		scan->why = "a look-around within a look-around is not supported";
	if (scan->nested >= NESTED_MAX)
		scan->why = "its parentheses are nested too deeply";
	if (scan->why)
		return part;
	scan->nested++;
	scan->looking += look;
	scan->looked |= look;
	part = scan_alternatives(scan);
	scan->looking -= look;
	scan->nested--;
	(void) take(scan, ")");
	part.empty = part.empty || look;
	part.tight += look ? 2 : 0;
	return part;
}

static Part
scan_atom(Scan *scan)
{
	if (take(scan, "("))
		return scan_group(scan);
	if (take(scan, "["))
		return scan_class(scan);
	if (take(scan, "^") || take(scan, "$"))
		return (Part) {.empty = true, .tight = 1};
	if (comes(scan, "\\") && scan->end - scan->at > 1)
	{
		bool		constraint = strchr("AmMyYZ", scan->at[1]) != NULL && scan->at[1] != '\0';

		skip(scan, 2);
		if (constraint)
			return (Part) {.empty = true, .tight = 4};
		return (Part) {.atoms = 1};
	}
	skip(scan, pg_utf_mblen((const unsigned char *) scan->at));
	return (Part) {.atoms = 1};
}

static int64
scan_number(Scan *scan)
{
	int64		number = 0;

	for (; scan->at < scan->end && isdigit((unsigned char) *scan->at); scan->at++)
		number = Min(number * 10 + (*scan->at - '0'), 1000000);
	return number;
}

/* Reads a bound, from behind its "{".  Returns its largest number of repetitions. */
static int64
scan_bound(Scan *scan, bool *optional)
{
	int64		least = scan_number(scan);
	int64		most = least;

	if (take(scan, ","))
		most = scan->at < scan->end && isdigit((unsigned char) *scan->at)
			? scan_number(scan) : least;
	while (scan->at < scan->end && *scan->at != '}')
		skip(scan, 1);
	skip(scan, 1);
	*optional = least == 0;
	return Max(most, 1);
}

/* Reads a quantifier.  False if there is none. */
static bool
scan_quantifier(Scan *scan, int64 *times, bool *optional)
{
	*times = 1;
	if (scan->end - scan->at > 1 && scan->at[0] == '{' && isdigit((unsigned char) scan->at[1]))
	{
		skip(scan, 1);
		*times = scan_bound(scan, optional);
	}
	else if (take(scan, "*") || take(scan, "?"))
		*optional = true;
	else if (take(scan, "+"))
		*optional = false;
	else
		return false;
	(void) take(scan, "?");
	return true;
}

static Part
scan_piece(Scan *scan)
{
	Part		part = scan_atom(scan);
	int64		times;
	bool		optional;

	while (scan_quantifier(scan, &times, &optional))
	{
		part = repeat(part, times);
		part.empty = part.empty || optional;
	}
	part.loose += part.empty;
	return part;
}

static Part
scan_branch(Scan *scan)
{
	Part		branch = {.empty = true};

	while (scan->why == NULL && scan->at < scan->end && *scan->at != '|' && *scan->at != ')')
	{
		Part		piece;

		if (take(scan, "(?#"))
		{
			while (scan->at < scan->end && *scan->at != ')')
				skip(scan, 1);
			skip(scan, 1);
			continue;
		}
		piece = scan_piece(scan);
		branch = add(branch, piece);
		branch.empty = branch.empty && piece.empty;
	}
	return branch;
}

static Part
scan_alternatives(Scan *scan)
{
	Part		all = {0};

	do
	{
		Part		branch = scan_branch(scan);

		all = add(all, branch);
		all.empty = all.empty || branch.empty;
	} while (scan->why == NULL && take(scan, "|"));
	return all;
}

/* Options at the beginning change what the rest means.  These do not change the syntax. */
static void
scan_options(Scan *scan)
{
	if (comes(scan, "***"))
		scan->why = "a director (\"***\") is not supported";
	if (scan->end - scan->at < 3 || !comes(scan, "(?") || !isalpha((unsigned char) scan->at[2]))
		return;
	for (skip(scan, 2); scan->at < scan->end && *scan->at != ')'; skip(scan, 1))
		if (strchr("cimnpstw", *scan->at) == NULL)
			scan->why = "the embedded options b, e, q and x are not supported";
	skip(scan, 1);
}

const char *
bi_regsize_count(const char *pattern, size_t len, BiRegsize *size)
{
	Scan		scan = {.at = pattern, .end = pattern + len};
	Part		all = {0};

	scan_options(&scan);
	/* If there is one ")" too many, the compiler refuses it. */
	while (scan.why == NULL && scan.at < scan.end)
	{
		all = add(all, scan_alternatives(&scan));
		(void) take(&scan, ")");
	}
	size->states = 1 + all.atoms + LOOSE * all.loose;
	size->size = size->states + TIGHT * all.tight * all.tight;
	size->looks_around = scan.looked;
	return scan.why;
}
