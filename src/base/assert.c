/*
 * base/assert.c: what the simple keywords of JSON Schema assert of a value.
 *
 * Knows one keyword and one value at a time; no place, no other schema, no budget:
 * schema.c walks through schemas, and limits the work that is counted here.
 */
#include "postgres.h"

#include "base/assert.h"
#include "base/value.h"
#include "mb/pg_wchar.h"

#define SHOWN 60				/* bytes of a value in a complaint */

/* Formats the words only if somebody reads them. */
#define COMPLAIN(assert, ...) ((assert)->quiet ? "" : psprintf(__VA_ARGS__))

typedef const char *(*Keyword) (BiAssert *assert, const BiJson *arg, const BiJson *value);

bool
bi_assert_spend(BiAssert *assert, int64 work)
{
	assert->work += work;
	return assert->work <= assert->work_max;
}

static char *
show(const BiJson *value)
{
	char	   *text = bi_json_text(value);
	int			len = (int) strlen(text);

	if (len <= SHOWN)
		return text;
	return psprintf("%.*s…", pg_encoding_mbcliplen(PG_UTF8, text, len, SHOWN), text);
}

static bool
is_number(const BiJson *value)
{
	return bi_json_type(value) == BI_JSON_INT || bi_json_type(value) == BI_JSON_DOUBLE;
}

static bool
is_of_type(const BiJson *value, const char *type)
{
	static const char *const names[] = {
		[BI_JSON_ABSENT] = "", [BI_JSON_NULL] = "null", [BI_JSON_BOOL] = "boolean",
		[BI_JSON_INT] = "number", [BI_JSON_DOUBLE] = "number", [BI_JSON_STRING] = "string",
		[BI_JSON_ARRAY] = "array", [BI_JSON_OBJECT] = "object"
	};

	if (strcmp(type, "integer") == 0)
		return bi_value_is_integer(value);
	return strcmp(type, names[bi_json_type(value)]) == 0;
}

static const char *
assert_type(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	StringInfoData names;

	if (bi_json_type(arg) == BI_JSON_STRING)
		return is_of_type(value, bi_json_string(arg, NULL)) ? NULL :
			COMPLAIN(assert, "is not of type %s", bi_json_string(arg, NULL));
	for (int i = 0; i < bi_json_length(arg); i++)
		if (is_of_type(value, bi_json_string(bi_json_item(arg, i), NULL)))
			return NULL;
	if (assert->quiet)
		return "";
	initStringInfo(&names);
	for (int i = 0; i < bi_json_length(arg); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? " or " : "",
						 bi_json_string(bi_json_item(arg, i), NULL));
	return COMPLAIN(assert, "is not of type %s", names.data);
}

static bool
same(BiAssert *assert, const char *canonical, const BiJson *other)
{
	char	   *text = bi_value_canonical(other);
	bool		equal = strcmp(canonical, text) == 0;

	assert->work += 2 + strlen(text) / 8;
	pfree(text);
	return equal;
}

static const char *
assert_enum(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	char	   *canonical = bi_value_canonical(value);
	bool		found = false;

	assert->work += strlen(canonical) / 8;
	for (int i = 0; i < bi_json_length(arg) && !found && bi_assert_spend(assert, 0); i++)
		found = same(assert, canonical, bi_json_item(arg, i));
	pfree(canonical);
	return found ? NULL : COMPLAIN(assert, "is %s, which is not in \"enum\"", show(value));
}

static const char *
assert_const(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	char	   *canonical = bi_value_canonical(value);
	bool		equal = same(assert, canonical, arg);

	assert->work += strlen(canonical) / 8;
	pfree(canonical);
	return equal ? NULL : COMPLAIN(assert, "is %s, not %s", show(value), show(arg));
}

/* Numbers. */

static const char *
assert_minimum(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (!is_number(value) || bi_value_compare(value, arg) >= 0)
		return NULL;
	return COMPLAIN(assert, "is %s, below the minimum %s", show(value), show(arg));
}

static const char *
assert_maximum(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (!is_number(value) || bi_value_compare(value, arg) <= 0)
		return NULL;
	return COMPLAIN(assert, "is %s, above the maximum %s", show(value), show(arg));
}

static const char *
assert_exclusive_minimum(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (!is_number(value) || bi_value_compare(value, arg) > 0)
		return NULL;
	return COMPLAIN(assert, "is %s, not above %s", show(value), show(arg));
}

static const char *
assert_exclusive_maximum(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (!is_number(value) || bi_value_compare(value, arg) < 0)
		return NULL;
	return COMPLAIN(assert, "is %s, not below %s", show(value), show(arg));
}

static const char *
assert_multiple_of(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (!is_number(value) || bi_value_is_multiple(value, arg))
		return NULL;
	return COMPLAIN(assert, "is %s, not a multiple of %s", show(value), show(arg));
}

/* Strings. */

/* Characters, not bytes. */
static int64
count_characters(BiAssert *assert, const BiJson *string)
{
	size_t		len;
	const char *utf8 = bi_json_string(string, &len);
	int64		count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char) utf8[i] & 0xC0) != 0x80;
	assert->work += len / 64;
	return count;
}

static const char *
assert_min_length(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_STRING ||
		count_characters(assert, value) >= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "is shorter than %s characters", show(arg));
}

static const char *
assert_max_length(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_STRING ||
		count_characters(assert, value) <= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "is longer than %s characters", show(arg));
}

bool
bi_assert_matches(BiAssert *assert, const void *at, const char *text, size_t len)
{
	BiPattern  *pattern = bi_dialect_find(assert->dialect, at);

	return bi_assert_spend(assert, bi_pattern_work(pattern, len)) &&
		bi_pattern_found(pattern, text, len);
}

static const char *
assert_pattern(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	size_t		len;
	const char *text = bi_json_string(value, &len);

	if (text == NULL || bi_assert_matches(assert, arg, text, len))
		return NULL;
	return COMPLAIN(assert, "is %s, which does not match the pattern %s", show(value), show(arg));
}

/* Arrays and objects. */

static const char *
assert_min_items(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_ARRAY || bi_json_length(value) >= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "has fewer than %s items", show(arg));
}

static const char *
assert_max_items(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_ARRAY || bi_json_length(value) <= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "has more than %s items", show(arg));
}

static const char *
assert_unique_items(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	size_t		bytes;
	bool		repeats;

	if (!bi_json_bool(arg, false) || bi_json_type(value) != BI_JSON_ARRAY)
		return NULL;
	repeats = bi_value_repeats(value, &bytes);
	assert->work += 4 * bi_json_length(value) + bytes / 8;
	return repeats ? "has items that are not unique" : NULL;
}

static const char *
assert_min_properties(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_OBJECT || bi_json_length(value) >= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "has fewer than %s members", show(arg));
}

static const char *
assert_max_properties(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_OBJECT || bi_json_length(value) <= bi_json_int(arg, 0))
		return NULL;
	return COMPLAIN(assert, "has more than %s members", show(arg));
}

static const char *
assert_required(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_OBJECT)
		return NULL;
	assert->work += bi_json_length(arg);
	for (int i = 0; i < bi_json_length(arg); i++)
		if (bi_json_get(value, bi_json_string(bi_json_item(arg, i), NULL)) == NULL)
			return COMPLAIN(assert, "has no member %s", show(bi_json_item(arg, i)));
	return NULL;
}

static const char *
assert_dependent_required(BiAssert *assert, const BiJson *arg, const BiJson *value)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *names;
	const char *complaint = NULL;

	while (complaint == NULL && bi_json_next(arg, &place, &key, &names))
		if (bi_json_get(value, key))
			complaint = assert_required(assert, names, value);
	return complaint;
}

static const struct
{
	const char *name;
	Keyword		complaint;
}			keywords[] =
{
	{"const", assert_const},
	{"dependentRequired", assert_dependent_required},
	{"enum", assert_enum},
	{"exclusiveMaximum", assert_exclusive_maximum},
	{"exclusiveMinimum", assert_exclusive_minimum},
	{"maxItems", assert_max_items},
	{"maxLength", assert_max_length},
	{"maxProperties", assert_max_properties},
	{"maximum", assert_maximum},
	{"minItems", assert_min_items},
	{"minLength", assert_min_length},
	{"minProperties", assert_min_properties},
	{"minimum", assert_minimum},
	{"multipleOf", assert_multiple_of},
	{"pattern", assert_pattern},
	{"required", assert_required},
	{"type", assert_type},
	{"uniqueItems", assert_unique_items},
};

const char *
bi_assert_complaint(BiAssert *assert, const char *keyword, const BiJson *arg, const BiJson *value)
{
	for (int i = 0; i < lengthof(keywords); i++)
		if (strcmp(keywords[i].name, keyword) == 0)
			return keywords[i].complaint(assert, arg, value);
	return NULL;
}
