/*
 * base/steady.c: settings under which a value has always the same text.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/steady.h"
#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

int
bi_steady_begin(void)
{
	static const char *const settings[][2] = {
		{"DateStyle", "ISO, MDY"}, {"IntervalStyle", "postgres"}, {"extra_float_digits", "1"},
		{"TimeZone", "UTC"}, {"bytea_output", "hex"}, {"lc_monetary", "C"},
		{"search_path", "pg_catalog"},
	};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		set(settings[i][0], settings[i][1]);
	return level;
}

int
bi_steady_begin_input(void)
{
	int			level = bi_steady_begin();

	set("array_nulls", "on");
	set("xmloption", "content");
	return level;
}

void
bi_steady_end(int level)
{
	AtEOXact_GUC(false, level);
}

/* True if the text of a type's values is the same under all settings. */
static bool
is_steady(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
		case JSONBOID:
		case UUIDOID:
		case TEXTARRAYOID:
			return true;
		default:
			return type_is_enum(getBaseType(type));
	}
}

bool
bi_steady_is_row(HeapTupleHeader row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	bool		is = true;

	for (int i = 0; i < desc->natts; i++)
		is = is && is_steady(TupleDescAttr(desc, i)->atttypid);
	ReleaseTupleDesc(desc);
	return is;
}
