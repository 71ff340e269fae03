/*
 * base/pattern.c: PostgreSQL's regular expressions, over UTF-8 whatever the server
 * encoding is (so not by its SQL functions), by the rules of the C locale.
 *
 * Knows the engine and nothing about schemas.  Compiling costs far more than searching, so a
 * pattern is compiled once and kept.  Before version 16 the engine's memory is malloc'd:
 * foreign.c ties it to the context.  There an interrupted engine raises no error.
 * It returns an error code, and CHECK_FOR_INTERRUPTS raises the error.
 */
#include "postgres.h"

#include "base/foreign.h"
#include "base/pattern.h"
#include "base/regsize.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"

/* The cost of a search was measured with patterns like (a|b)*a(a|b){250}c.  Each call sets up the
 * states.  A character that leads to a new set of states costs one unit for this much size. */
#define CALL_WORK 3
#define SMALL_SIZE 20			/* the engine keeps all states of such a pattern */
#define SIZE_A_UNIT 30

/* A look-ahead reads on from each character, so its cost counts for each. */
#define LOOK_BYTES 3

struct BiPattern
{
	regex_t		re;
	BiRegsize	size;
};

static pg_wchar *
to_wide(const char *utf8, size_t len, int *wide_len)
{
	pg_wchar   *wide = palloc_extended((len + 1) * sizeof(pg_wchar), MCXT_ALLOC_HUGE);

	*wide_len = pg_encoding_mb2wchar_with_len(PG_UTF8, utf8, wide, (int) len);
	return wide;
}

static void
free_pattern(void *re)
{
	pg_regfree(re);
}

/* Compiles into pattern, whose memory the current context then owns.  Returns an error code. */
static int
compile(BiPattern *pattern, const char *text, size_t len)
{
	int			wide_len;
	pg_wchar   *wide = to_wide(text, len, &wide_len);
	int			code =
		pg_regcomp(&pattern->re, wide, wide_len, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);

	if (code == REG_OKAY)
		bi_foreign_own(CurrentMemoryContext, &pattern->re, free_pattern);
	pfree(wide);
	return code;
}

BiPattern *
bi_pattern_compile(const char *text, size_t len, char **why)
{
	BiPattern  *pattern = palloc0(sizeof(BiPattern));
	const char *unsupported = bi_regsize_count(text, len, &pattern->size);
	char		words[100] = "back references are not supported";
	int			code;

	*why = NULL;
	if (unsupported)
		*why = pstrdup(unsupported);
	else if (pattern->size.size > BI_PATTERN_SIZE_MAX)
		*why = psprintf("it is too large: repetitions written out, its size is " INT64_FORMAT
						", of %d at most", pattern->size.size, BI_PATTERN_SIZE_MAX);
	if (*why)
		return NULL;
	code = compile(pattern, text, len);
	CHECK_FOR_INTERRUPTS();
	if (code == REG_OKAY && (pattern->re.re_info & REG_UBACKREF) == 0)
		return pattern;
	if (code != REG_OKAY)
		pg_regerror(code, &pattern->re, words, sizeof(words));
	*why = pstrdup(words);
	return NULL;
}

int64
bi_pattern_size(const BiPattern *pattern)
{
	return pattern->size.size;
}

int64
bi_pattern_work(const BiPattern *pattern, size_t len)
{
	int64		size = pattern->size.states;
	int64		reads = pattern->size.looks_around ? 1 + len / LOOK_BYTES : 1;

	/* The longest text is 64 MB: no product of these overflows. */
	return CALL_WORK + (size > SMALL_SIZE ? size : 0) + (int64) len * size / SIZE_A_UNIT * reads;
}

bool
bi_pattern_found(BiPattern *pattern, const char *text, size_t len)
{
	int			wide_len;
	pg_wchar   *wide = to_wide(text, len, &wide_len);
	int			code = pg_regexec(&pattern->re, wide, wide_len, 0, NULL, 0, NULL, 0);

	pfree(wide);
	CHECK_FOR_INTERRUPTS();
	return code == REG_OKAY;
}
