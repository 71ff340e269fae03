/*
 * base/sorting.c: items of a fixed size, sorted by their bytes.
 *
 * PostgreSQL's tuplesort, which knows datums only: an item travels as a bytea.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/sorting.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"

struct BiSorting
{
	Tuplesortstate *sort;
	size_t		size;			/* of an item */
	bytea	   *added;			/* the item that is being added; tuplesort copies it */
};

BiSorting *
bi_sorting_begin(size_t size, bool again)
{
	BiSorting  *sorting = palloc(sizeof(BiSorting));

	sorting->sort = tuplesort_begin_datum(BYTEAOID, ByteaLessOperator, InvalidOid, false, work_mem,
										  NULL, again ? TUPLESORT_RANDOMACCESS : TUPLESORT_NONE);
	sorting->size = size;
	sorting->added = palloc(VARHDRSZ + size);
	SET_VARSIZE(sorting->added, VARHDRSZ + size);
	return sorting;
}

void
bi_sorting_add(BiSorting *sorting, const void *item)
{
	memcpy(VARDATA(sorting->added), item, sorting->size);
	tuplesort_putdatum(sorting->sort, PointerGetDatum(sorting->added), false);
}

void
bi_sorting_sort(BiSorting *sorting)
{
	tuplesort_performsort(sorting->sort);
}

bool
bi_sorting_next(BiSorting *sorting, void *item)
{
	Datum		value;
	bool		isnull;
	bytea	   *bytes;

	CHECK_FOR_INTERRUPTS();
	memset(item, 0, sorting->size);
	if (!bi_tuplesort_getdatum(sorting->sort, &value, &isnull))
		return false;
	bytes = DatumGetByteaPP(value);
	memcpy(item, VARDATA_ANY(bytes), sorting->size);
	pfree(bytes);
	return true;
}

void
bi_sorting_rewind(BiSorting *sorting)
{
	tuplesort_rescan(sorting->sort);
}

void
bi_sorting_end(BiSorting *sorting)
{
	tuplesort_end(sorting->sort);
	pfree(sorting->added);
	pfree(sorting);
}
