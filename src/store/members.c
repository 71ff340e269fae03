/*
 * store/members.c: members of structs as arguments of a statement: an array of each, for unnest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/members.h"
#include "utils/builtins.h"

/* One member of n items, as an array argument of a statement. */
typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
} Column;

/* The member at an offset of the struct with that number. */
#define MEMBER(type, items, i, offset) \
	(*(type const *) (((const char *const *) (items))[i] + (offset)))

static Column
new_column(int n)
{
	Column		column;

	column.values = palloc0(sizeof(Datum) * (n + 1));
	column.nulls = palloc0(sizeof(bool) * (n + 1));
	return column;
}

void
bi_member_words(BiArgs *args, const char *const *words, int n)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
	{
		column.nulls[i] = words[i] == NULL;
		if (words[i])
			column.values[i] = CStringGetTextDatum(words[i]);
	}
	bi_sql_arg_array(args, TEXTOID, column.values, column.nulls, n);
}

void
bi_member_texts(BiArgs *args, const void *items, int n, size_t offset)
{
	const char **texts = palloc(sizeof(char *) * (n + 1));

	for (int i = 0; i < n; i++)
		texts[i] = MEMBER(const char *, items, i, offset);
	bi_member_words(args, texts, n);
}

void
bi_member_int8s(BiArgs *args, const void *items, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
	{
		int64		value = MEMBER(int64, items, i, offset);

		column.nulls[i] = value < 0;
		column.values[i] = Int64GetDatum(value);
	}
	bi_sql_arg_array(args, INT8OID, column.values, column.nulls, n);
}

void
bi_member_bools(BiArgs *args, const void *items, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
		column.values[i] = BoolGetDatum(MEMBER(bool, items, i, offset));
	bi_sql_arg_array(args, BOOLOID, column.values, NULL, n);
}

void
bi_member_amounts(BiArgs *args, const void *items, int n, size_t offset)
{
	Column		column = new_column(n);

	for (int i = 0; i < n; i++)
	{
		Numeric		amount = MEMBER(Numeric, items, i, offset);

		column.nulls[i] = amount == NULL;
		column.values[i] = NumericGetDatum(amount);
	}
	bi_sql_arg_array(args, NUMERICOID, column.values, column.nulls, n);
}
