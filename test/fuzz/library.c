/*
 * test/fuzz/library.c: what the fuzzed files call of a server's library: lists, sets, hash
 * tables, numbers, patterns, options.
 *
 * Plain and slow.  A numeric is a long double here, and a pattern is found where it stands
 * literally: PostgreSQL's engines for both are not fuzzed, but what goes in and comes out is.
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "access/reloptions.h"
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "fuzz.h"
#include "nodes/bitmapset.h"
#include "pgtime.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* ---- lists and sets ---- */

static List *
new_list(NodeTag type)
{
	List	   *list = palloc0(sizeof(List));

	list->type = type;
	return list;
}

/* Always moves the cells: who keeps an old one is seen. */
static void
resize(List *list, int length)
{
	ListCell   *cells = palloc0(sizeof(ListCell) * Max(length, 1));

	if (list->elements)
	{
		memcpy(cells, list->elements, sizeof(ListCell) * Min(list->length, length));
		pfree(list->elements);
	}
	list->elements = cells;
	list->length = list->max_length = length;
}

List *
list_make1_impl(NodeTag type, ListCell datum)
{
	List	   *list = new_list(type);

	resize(list, 1);
	list->elements[0] = datum;
	return list;
}

List *
list_insert_nth(List *list, int pos, void *datum)
{
	if (list == NIL)
		list = new_list(T_List);
	FUZZ_CHECK(pos >= 0 && pos <= list->length);
	resize(list, list->length + 1);
	memmove(list->elements + pos + 1, list->elements + pos,
			sizeof(ListCell) * (list->length - 1 - pos));
	list->elements[pos].ptr_value = datum;
	return list;
}

List *
lappend(List *list, void *datum)
{
	return list_insert_nth(list, list_length(list), datum);
}

List *
list_delete_nth_cell(List *list, int n)
{
	FUZZ_CHECK(n >= 0 && n < list->length);
	if (list->length == 1)
		return NIL;
	memmove(list->elements + n, list->elements + n + 1, sizeof(ListCell) * (list->length - 1 - n));
	resize(list, list->length - 1);
	return list;
}

List *
list_delete_cell(List *list, ListCell *cell)
{
	return list_delete_nth_cell(list, cell - list->elements);
}

void
list_sort(List *list, list_sort_comparator compare)
{
	if (list_length(list) > 1)
		qsort(list->elements, list->length, sizeof(ListCell),
			  (int (*) (const void *, const void *)) compare);
}

#define SET_MAX 1000

/* One byte a member, behind a set of one word. */
Bitmapset *
bms_add_member(Bitmapset *set, int x)
{
	FUZZ_CHECK(x >= 0 && x < SET_MAX);
	if (set == NULL)
		set = palloc0(sizeof(Bitmapset) + SET_MAX);
	((char *) (set + 1))[x] = 1;
	return set;
}

bool
bms_is_member(int x, const Bitmapset *set)
{
	FUZZ_CHECK(x >= 0 && x < SET_MAX);
	return set && ((const char *) (set + 1))[x];
}

/* ---- hash tables: lists of entries that begin with their key ---- */

struct HTAB
{
	Size		keysize;
	Size		entrysize;
	List	   *entries;
};

HTAB *
hash_create(const char *name, long nelem, const HASHCTL *info, int flags)
{
	HTAB	   *table = palloc0(sizeof(HTAB));

	FUZZ_CHECK(flags & HASH_BLOBS);
	table->keysize = info->keysize;
	table->entrysize = info->entrysize;
	return table;
}

void
hash_destroy(HTAB *table)
{
	pfree(table);
}

void *
hash_search(HTAB *table, const void *key, HASHACTION action, bool *found)
{
	ListCell   *lc;
	void	   *entry;

	FUZZ_CHECK(action == HASH_FIND || action == HASH_ENTER);
	if (found)
		*found = true;
	foreach(lc, table->entries)
		if (memcmp(lfirst(lc), key, table->keysize) == 0)
			return lfirst(lc);
	if (found)
		*found = false;
	if (action == HASH_FIND)
		return NULL;
	entry = palloc(table->entrysize);
	memcpy(entry, key, table->keysize);
	table->entries = lappend(table->entries, entry);
	return entry;
}

void
hash_seq_init(HASH_SEQ_STATUS *status, HTAB *table)
{
	status->hashp = table;
	status->curBucket = 0;
}

void *
hash_seq_search(HASH_SEQ_STATUS *status)
{
	if ((int) status->curBucket >= list_length(status->hashp->entries))
		return NULL;
	return list_nth(status->hashp->entries, status->curBucket++);
}

void
hash_seq_term(HASH_SEQ_STATUS *status)
{
}

/* ---- calls by Datum ---- */

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	LOCAL_FCINFO(fcinfo, 1);

	fcinfo->args[0].value = arg1;
	return func(fcinfo);
}

Datum
DirectFunctionCall2Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2)
{
	LOCAL_FCINFO(fcinfo, 2);

	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	return func(fcinfo);
}

Datum
DirectFunctionCall3Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2, Datum arg3)
{
	LOCAL_FCINFO(fcinfo, 3);

	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	fcinfo->args[2].value = arg3;
	return func(fcinfo);
}

/* ---- numbers ---- */

#define GET_NUMBER(n) (*(long double *) DatumGetPointer(PG_GETARG_DATUM(n)))

static Datum
number_datum(long double number)
{
	long double *value = palloc(sizeof(long double));

	*value = number;
	return PointerGetDatum(value);
}

Datum
numeric_in(PG_FUNCTION_ARGS)
{
	char	   *end;
	long double number = strtold(PG_GETARG_CSTRING(0), &end);

	FUZZ_CHECK(*end == '\0' && end > PG_GETARG_CSTRING(0) && isfinite(number));
	return number_datum(number);
}

Datum
numeric_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(64);

	/* not PostgreSQL's printf, which knows no long double */
	strfroml(text, 64, "%.20g", GET_NUMBER(0));
	PG_RETURN_CSTRING(text);
}

Datum
int4_numeric(PG_FUNCTION_ARGS)
{
	return number_datum(PG_GETARG_INT32(0));
}

Datum
numeric_trim_scale(PG_FUNCTION_ARGS)
{
	return PG_GETARG_DATUM(0);
}

Datum
numeric_mod(PG_FUNCTION_ARGS)
{
	FUZZ_CHECK(GET_NUMBER(1) != 0);	/* division by zero */
	return number_datum(fmodl(GET_NUMBER(0), GET_NUMBER(1)));
}

Datum
numeric_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(GET_NUMBER(0) < GET_NUMBER(1) ? -1 : GET_NUMBER(0) > GET_NUMBER(1));
}

bool
parse_real(const char *value, double *result, int flags, const char **hintmsg)
{
	static const struct
	{
		const char *name;
		double		bytes;
	}			units[] = {
		{"", 1}, {"B", 1}, {"kB", 1024.0}, {"MB", 1048576.0}, {"GB", 1073741824.0},
		{"TB", 1099511627776.0}
	};
	char	   *end;

	*result = strtod(value, &end);
	end += strspn(end, " ");
	for (int i = 0; i < lengthof(units) && end > value; i++)
		if (strcmp(end, units[i].name) == 0)
		{
			*result *= units[i].bytes;
			return isfinite(*result);
		}
	return false;
}

/* ---- times ---- */

/* Days in the proleptic Gregorian calendar, the year beginning in March. */
int
date2j(int year, int month, int day)
{
	int			march = (month + 9) % 12;
	int			y = year + 8000 - (month <= 2);

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * march + 2) / 5 + day - 1 -
		(365 * 8000 + 8000 / 4 - 8000 / 100 + 8000 / 400 - 1721120);
}

struct pg_tm *
pg_gmtime(const pg_time_t *timep)
{
	static struct pg_tm result;
	time_t		seconds = *timep;
	struct tm	tm;

	gmtime_r(&seconds, &tm);
	result = (struct pg_tm)
	{
		.tm_sec = tm.tm_sec, .tm_min = tm.tm_min, .tm_hour = tm.tm_hour, .tm_mday = tm.tm_mday,
		.tm_mon = tm.tm_mon,
		.tm_year = tm.tm_year
	};
	return &result;
}

size_t
pg_strftime(char *s, size_t max, const char *format, const struct pg_tm *tm)
{
	struct tm	plain = {
		.tm_sec = tm->tm_sec, .tm_min = tm->tm_min, .tm_hour = tm->tm_hour, .tm_mday = tm->tm_mday,
		.tm_mon = tm->tm_mon,
		.tm_year = tm->tm_year
	};

	return strftime(s, max, format, &plain);
}

/* ---- patterns: literal; "(" alone is an error, "\" makes a back reference ---- */

typedef struct Pattern
{
	size_t		len;
	pg_wchar	text[FLEXIBLE_ARRAY_MEMBER];
} Pattern;

int
pg_regcomp(regex_t *re, const pg_wchar *string, size_t len, int flags, Oid collation)
{
	Pattern    *pattern = malloc(offsetof(Pattern, text) + len * sizeof(pg_wchar) + 1);

	memset(re, 0, sizeof(*re));
	pattern->len = len;
	for (size_t i = 0; i < len; i++)
	{
		pattern->text[i] = string[i];
		if (string[i] == '\\')
			re->re_info |= REG_UBACKREF;
	}
	re->re_guts = (char *) pattern;
	if (len != 1 || string[0] != '(')
		return REG_OKAY;
	pg_regfree(re);
	return REG_EPAREN;
}

int
pg_regexec(regex_t *re, const pg_wchar *string, size_t len, size_t start, rm_detail_t *details,
		   size_t nmatch,
		   regmatch_t pmatch[], int flags)
{
	const Pattern *pattern = (const Pattern *) re->re_guts;

	for (size_t i = start; i + pattern->len <= len; i++)
		if (memcmp(string + i, pattern->text, pattern->len * sizeof(pg_wchar)) == 0)
			return REG_OKAY;
	return REG_NOMATCH;
}

void
pg_regfree(regex_t *re)
{
	free(re->re_guts);
	re->re_guts = NULL;
}

size_t
pg_regerror(int code, const regex_t *re, char *text, size_t size)
{
	return snprintf(text, size, "error %d", code);
}

/* ---- words and options ---- */

int
varstr_levenshtein_less_equal(const char *source, int slen, const char *target, int tlen, int ins_c,
							  int del_c, int sub_c,
							  int max_d, bool trusted)
{
	int			row[256];

	FUZZ_CHECK(slen < 256 && tlen < 256);
	for (int j = 0; j <= tlen; j++)
		row[j] = j;
	for (int i = 1; i <= slen; i++)
	{
		int			diagonal = row[0];

		row[0] = i;
		for (int j = 1; j <= tlen; j++)
		{
			int			least = Min(Min(row[j], row[j - 1]) + 1,
									diagonal + (source[i - 1] != target[j - 1]));

			diagonal = row[j];
			row[j] = least;
		}
	}
	return Min(row[tlen], max_d + 1);
}

/* A target hands the validator its list as it is. */
List *
untransformRelOptions(Datum options)
{
	return (List *) DatumGetPointer(options);
}

char *
defGetString(DefElem *def)
{
	return strVal(def->arg);
}

/* ---- conversions of encodings: there are none ---- */

Oid
FindDefaultConversionProc(int32 for_encoding, int32 to_encoding)
{
	return InvalidOid;
}
