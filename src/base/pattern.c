/*
 * base/pattern.c: PostgreSQL's regular expressions, over UTF-8 whatever the server
 * encoding is (so not by its SQL functions), by the rules of the C locale.
 *
 * Knows the engine and nothing of schemas.  Before version 16 the engine's memory
 * is malloc'd, so between compiling and freeing nothing here may throw.
 */
#include "postgres.h"

#include "base/pattern.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"

static pg_wchar *
to_wide(const char *utf8, size_t len, int *wide_len)
{
	pg_wchar   *wide = palloc_extended((len + 1) * sizeof(pg_wchar), MCXT_ALLOC_HUGE);

	*wide_len = pg_encoding_mb2wchar_with_len(PG_UTF8, utf8, wide, (int) len);
	return wide;
}

static int
compile(regex_t *re, const char *pattern, size_t len)
{
	int			wide_len;
	pg_wchar   *wide = to_wide(pattern, len, &wide_len);
	int			code = pg_regcomp(re, wide, wide_len, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);

	pfree(wide);
	return code;
}

char *
bi_pattern_refuse(const char *pattern, size_t len)
{
	regex_t		re;
	int			code = compile(&re, pattern, len);
	char		why[100];
	bool		references;

	if (code != REG_OKAY)
	{
		pg_regerror(code, &re, why, sizeof(why));
		CHECK_FOR_INTERRUPTS();
		return pstrdup(why);
	}
	references = (re.re_info & REG_UBACKREF) != 0;
	pg_regfree(&re);
	return references ? pstrdup("back references are not supported") : NULL;
}

bool
bi_pattern_found(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
	regex_t		re;
	int			wide_len;
	pg_wchar   *wide = to_wide(text, len, &wide_len);
	int			code = compile(&re, pattern, pattern_len);

	if (code == REG_OKAY)
	{
		if (re.re_info & REG_UBACKREF)
			code = REG_NOMATCH;
		else
			code = pg_regexec(&re, wide, wide_len, 0, NULL, 0, NULL, 0);
		pg_regfree(&re);
	}
	pfree(wide);
	CHECK_FOR_INTERRUPTS();
	return code == REG_OKAY;
}
