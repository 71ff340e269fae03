/*
 * intake/given.c: what a call has given, in a form that can be compared with another call's.
 */
#include "postgres.h"

#include "base/digest.h"
#include "catalog/pg_type.h"
#include "intake/given.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* With its schema, whatever the search_path is.  Without the quotes of an identifier. */
static char *
relation_text(Oid relation)
{
	return psprintf("%s.%s", get_namespace_name(get_rel_namespace(relation)),
					get_rel_name(relation));
}

char *
bi_given_text(Oid type, Datum value)
{
	Interval   *interval;
	Oid			output;
	bool		is_varlena;

	switch (type)
	{
		case REGCLASSOID:
			return relation_text(DatumGetObjectId(value));
		case INTERVALOID:
			interval = DatumGetIntervalP(value);
			return psprintf("%d %d " INT64_FORMAT, interval->month, interval->day,
							interval->time);
		case NUMERICOID:
			value = DirectFunctionCall1(numeric_trim_scale, value);
			return DatumGetCString(DirectFunctionCall1(numeric_out, value));
		default:
			getTypeOutputInfo(type, &output, &is_varlena);
			return OidOutputFunctionCall(output, value);
	}
}

void
bi_given_add(StringInfo members, const char *name, const char *text)
{
	uint8		digest[BI_DIGEST_SIZE];
	char		hex[BI_DIGEST_HEX];

	bi_digest_of(text, digest);
	bi_digest_hex(digest, hex);
	appendStringInfo(members, "%s\"%s\": \"%s\"", members->len > 0 ? ", " : "", name, hex);
}
