/*
 * base/texts.c: lists of texts as PostgreSQL's text[], and back.
 */
#include "postgres.h"

#include "base/texts.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

List *
bi_texts_copy(const List *texts)
{
	List	   *copy = NIL;
	ListCell   *cell;

	foreach(cell, texts)
		copy = lappend(copy, lfirst(cell) ? pstrdup(lfirst(cell)) : NULL);
	return copy;
}

bool
bi_texts_equal(const List *a, const List *b)
{
	ListCell   *in_a;
	ListCell   *in_b;

	if (list_length(a) != list_length(b))
		return false;
	forboth(in_a, a, in_b, b)
	{
		const char *x = lfirst(in_a);
		const char *y = lfirst(in_b);

		if (x == NULL || y == NULL ? x != y : strcmp(x, y) != 0)
			return false;
	}
	return true;
}

Datum
bi_texts_array(const List *texts)
{
	int			n = list_length(texts);
	int			lower = 1;
	Datum	   *items = palloc0(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc0(sizeof(bool) * (n + 1));
	ListCell   *cell;

	foreach(cell, texts)
	{
		int			i = foreach_current_index(cell);

		nulls[i] = lfirst(cell) == NULL;
		if (lfirst(cell))
			items[i] = CStringGetTextDatum(lfirst(cell));
	}
	return PointerGetDatum(construct_md_array(items, nulls, 1, &n, &lower, TEXTOID, -1, false,
											  TYPALIGN_INT));
}

Datum
bi_texts_literal(const List *texts)
{
	FmgrInfo	output;

	fmgr_info(F_ARRAY_OUT, &output);
	return CStringGetTextDatum(OutputFunctionCall(&output, bi_texts_array(texts)));
}

List *
bi_texts_list(Datum array)
{
	List	   *texts = NIL;
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  &n);
	for (int i = 0; i < n; i++)
		texts = lappend(texts, nulls[i] ? NULL : TextDatumGetCString(items[i]));
	return texts;
}
