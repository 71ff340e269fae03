/*
 * base/value.c: equality and arithmetic of JSON values.
 *
 * Numbers are PostgreSQL's numeric where they are of a sensible size, so that 0.0075
 * is a multiple of 0.0001; otherwise doubles.  Knows nothing about schemas.
 */
#include "postgres.h"

#include <math.h>

#include "base/value.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define NUMERIC_TEXT_MAX 1000

static void append_canonical(StringInfo out, const BiJson *json);

/* Converts the number to a numeric.  False if it would be too large. */
static bool
number_numeric(const BiJson *json, Datum *numeric)
{
	double		size = fabs(bi_json_double(json, 0));
	char	   *text;

	if (size != 0 && (size < 1e-300 || size > 1e300))
		return false;
	text = size == 0 ? pstrdup("0") : bi_json_text(json);
	if (strlen(text) > NUMERIC_TEXT_MAX)
		return false;
	*numeric =
		DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
							Int32GetDatum(-1));
	pfree(text);
	return true;
}

static void
append_number(StringInfo out, const BiJson *json)
{
	Datum		numeric;

	if (bi_json_type(json) == BI_JSON_INT && bi_json_int(json, 0) != 0)
		appendStringInfo(out, INT64_FORMAT, bi_json_int(json, 0));
	else if (number_numeric(json, &numeric))
	{
		numeric = DirectFunctionCall1(numeric_trim_scale, numeric);
		appendStringInfoString(out, DatumGetCString(DirectFunctionCall1(numeric_out, numeric)));
	}
	else
		appendStringInfo(out, "%.17g", bi_json_double(json, 0));
}

typedef struct Member
{
	const char *key;
	BiJson	   *value;
} Member;

static int
member_order(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return strcmp(((const Member *) a)->key, ((const Member *) b)->key);
}

static void
append_object(StringInfo out, const BiJson *json)
{
	int			count = 0;
	Member	   *members =
		palloc_extended(sizeof(Member) * (bi_json_length(json) + 1), MCXT_ALLOC_HUGE);
	void	   *place = NULL;

	while (bi_json_next(json, &place, &members[count].key, &members[count].value))
		count++;
	qsort(members, count, sizeof(Member), member_order);
	appendStringInfoChar(out, '{');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		bi_json_append_string(out, members[i].key);
		appendStringInfoChar(out, ':');
		append_canonical(out, members[i].value);
	}
	appendStringInfoChar(out, '}');
	pfree(members);
}

static void
append_array(StringInfo out, const BiJson *json)
{
	int			length = bi_json_length(json);

	appendStringInfoChar(out, '[');
	for (int i = 0; i < length; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_canonical(out, bi_json_item(json, i));
	}
	appendStringInfoChar(out, ']');
}

static void
append_canonical(StringInfo out, const BiJson *json)
{
	CHECK_FOR_INTERRUPTS();
	switch (bi_json_type(json))
	{
		case BI_JSON_INT:
		case BI_JSON_DOUBLE:
			append_number(out, json);
			break;
		case BI_JSON_ARRAY:
			append_array(out, json);
			break;
		case BI_JSON_OBJECT:
			append_object(out, json);
			break;
		default:
			bi_json_append(out, json);
	}
}

char *
bi_value_canonical(const BiJson *json)
{
	StringInfoData out;

	initStringInfo(&out);
	append_canonical(&out, json);
	return out.data;
}

static int
text_order(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Returns the canonical texts of all items, sorted; they are in one buffer, each ended by a NUL. */
static char **
sorted_texts(const BiJson *array, StringInfo buffer)
{
	int			length = bi_json_length(array);
	char	  **texts = palloc_extended(sizeof(char *) * (length + 1), MCXT_ALLOC_HUGE);
	char	   *text;

	for (int i = 0; i < length; i++)
	{
		append_canonical(buffer, bi_json_item(array, i));
		appendStringInfoChar(buffer, '\0');
	}
	text = buffer->data;
	for (int i = 0; i < length; i++, text += strlen(text) + 1)
		texts[i] = text;
	qsort(texts, length, sizeof(char *), text_order);
	return texts;
}

bool
bi_value_repeats(const BiJson *array, size_t *bytes)
{
	StringInfoData buffer;
	char	  **texts;
	bool		repeats = false;

	initStringInfo(&buffer);
	texts = sorted_texts(array, &buffer);
	for (int i = 1; i < bi_json_length(array) && !repeats; i++)
		repeats = strcmp(texts[i - 1], texts[i]) == 0;
	*bytes = buffer.len;
	pfree(texts);
	pfree(buffer.data);
	return repeats;
}

int
bi_value_compare(const BiJson *a, const BiJson *b)
{
	double		x = bi_json_double(a, 0);
	double		y = bi_json_double(b, 0);
	Datum		m;
	Datum		n;

	if (x == y && number_numeric(a, &m) && number_numeric(b, &n))
		return DatumGetInt32(DirectFunctionCall2(numeric_cmp, m, n));
	return x < y ? -1 : x > y;
}

bool
bi_value_is_multiple(const BiJson *number, const BiJson *step)
{
	Datum		m;
	Datum		n;
	Datum		rest;

	if (!number_numeric(number, &m) || !number_numeric(step, &n))
		return fmod(bi_json_double(number, 0), bi_json_double(step, 1)) == 0;
	rest = DirectFunctionCall2(numeric_mod, m, n);
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, rest,
											 DirectFunctionCall1(int4_numeric,
																 Int32GetDatum(0)))) == 0;
}

bool
bi_value_is_integer(const BiJson *json)
{
	double		number = bi_json_double(json, 0);

	return bi_json_type(json) == BI_JSON_INT ||
		(bi_json_type(json) == BI_JSON_DOUBLE && (isinf(number) || number == rint(number)));
}
