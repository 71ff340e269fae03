/*
 * base/schema.c: walks a value along a JSON Schema.
 *
 * Knows the keywords that lead from a schema to other schemas, and how far the walk
 * has come.  dialect.c knows which schemas are accepted, assert.c what a simple keyword
 * demands.  Knows no provider and no job.
 *
 * The walk has a budget of work and of depth, so that no schema and no output can hold up
 * a visit.  Work is counted, never timed: a value gets the same verdict on every machine.
 * A unit is about 0.1 microseconds on an ordinary core, and is charged before it is spent.
 */
#include "postgres.h"

#include "base/assert.h"
#include "base/dialect.h"
#include "base/pointer.h"
#include "base/schema.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define WORK_MAX 10000000		/* about a second */
#define DEPTH_MAX 1000			/* schemas in schemas */
#define SHOWN_PLACE 200			/* bytes */

/* A place in the value: a list that ends at the root. */
typedef struct Place
{
	const struct Place *up;
	const char *key;			/* NULL: an item */
	int			index;
} Place;

struct BiSchema
{
	const BiJson *root;
	BiDialect  *dialect;
};

typedef struct Walk
{
	const BiDialect *dialect;
	BiAssert	assert;
	int			depth;
	bool		too_deep;
	char	   *mismatch;
} Walk;

/* Checks one keyword of a schema against one value.  False if it does not match. */
typedef bool (*Keyword) (Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
						 const BiJson *value);

static bool walk_schema(Walk *walk, const Place *place, const BiJson *schema, const BiJson *value);

static void
append_place(StringInfo out, const Place *place)
{
	if (place->up == NULL)
		return;
	append_place(out, place->up);
	if (place->key)
		bi_pointer_append(out, place->key);
	else
		appendStringInfo(out, "/%d", place->index);
}

static char *
show_place(const Place *place)
{
	StringInfoData out;

	if (place->up == NULL)
		return "the value";
	initStringInfo(&out);
	append_place(&out, place);
	if (out.len <= SHOWN_PLACE)
		return psprintf("\"%s\"", out.data);
	return psprintf("\"%.*s…\"", pg_encoding_mbcliplen(PG_UTF8, out.data, out.len, SHOWN_PLACE),
					out.data);
}

/* Reports a mismatch.  Always returns false. */
static bool
mismatch(Walk *walk, const Place *place, const char *complaint)
{
	if (!walk->assert.quiet && walk->mismatch == NULL)
		walk->mismatch = psprintf("%s %s", show_place(place), complaint);
	return false;
}

/* Like walk_schema, but reports no mismatch. */
static bool
try_schema(Walk *walk, const Place *place, const BiJson *schema, const BiJson *value)
{
	bool		quiet = walk->assert.quiet;
	bool		matches;

	walk->assert.quiet = true;
	matches = walk_schema(walk, place, schema, value);
	walk->assert.quiet = quiet;
	return matches;
}

static bool
walk_member(Walk *walk, const Place *place, const BiJson *schema, const char *key,
			const BiJson *value)
{
	Place		below = {.up = place, .key = key};

	return walk_schema(walk, &below, schema, value);
}

static bool
walk_item(Walk *walk, const Place *place, const BiJson *schema, const BiJson *array, int i)
{
	Place		below = {.up = place, .index = i};

	return walk_schema(walk, &below, schema, bi_json_item(array, i));
}

/* Keywords that look at the same value. */

static bool
walk_ref(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
		 const BiJson *value)
{
	return walk_schema(walk, place, bi_dialect_find(walk->dialect, arg), value);
}

static bool
walk_all_of(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
			const BiJson *value)
{
	for (int i = 0; i < bi_json_length(arg); i++)
		if (!walk_schema(walk, place, bi_json_item(arg, i), value))
			return false;
	return true;
}

static bool
walk_any_of(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
			const BiJson *value)
{
	for (int i = 0; i < bi_json_length(arg); i++)
		if (try_schema(walk, place, bi_json_item(arg, i), value))
			return true;
	return mismatch(walk, place, "matches no schema of \"anyOf\"");
}

static bool
walk_one_of(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
			const BiJson *value)
{
	int			matches = 0;

	for (int i = 0; i < bi_json_length(arg) && matches < 2; i++)
		matches += try_schema(walk, place, bi_json_item(arg, i), value);
	if (matches == 1)
		return true;
	return mismatch(walk, place, matches == 0 ? "matches no schema of \"oneOf\"" :
					"matches more than one schema of \"oneOf\"");
}

static bool
walk_not(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
		 const BiJson *value)
{
	return !try_schema(walk, place, arg, value) ||
		mismatch(walk, place, "matches the schema of \"not\"");
}

static bool
walk_if(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
		const BiJson *value)
{
	const BiJson *next = bi_json_get(schema, try_schema(walk, place, arg, value) ? "then" : "else");

	return next == NULL || walk_schema(walk, place, next, value);
}

static bool
walk_dependent(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
			   const BiJson *value)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *dependent;

	while (bi_json_next(arg, &next, &key, &dependent))
		if (bi_json_get(value, key) && !walk_schema(walk, place, dependent, value))
			return false;
	return true;
}

/* Keywords that look at the items of an array. */

static bool
walk_prefix_items(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
				  const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_ARRAY)
		return true;
	for (int i = 0; i < Min(bi_json_length(arg), bi_json_length(value)); i++)
		if (!walk_item(walk, place, bi_json_item(arg, i), value, i))
			return false;
	return true;
}

static bool
walk_items(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
		   const BiJson *value)
{
	if (bi_json_type(value) != BI_JSON_ARRAY)
		return true;
	for (int i = bi_json_length(bi_json_get(schema, "prefixItems")); i < bi_json_length(value); i++)
		if (!walk_item(walk, place, arg, value, i))
			return false;
	return true;
}

static bool
walk_contains(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
			  const BiJson *value)
{
	int64		at_least = bi_json_int(bi_json_get(schema, "minContains"), 1);
	int64		at_most = bi_json_int(bi_json_get(schema, "maxContains"), PG_INT64_MAX);
	int64		count = 0;

	if (bi_json_type(value) != BI_JSON_ARRAY)
		return true;
	for (int i = 0; i < bi_json_length(value); i++)
		count += try_schema(walk, place, arg, bi_json_item(value, i));
	if (count >= at_least && count <= at_most)
		return true;
	return mismatch(walk, place, count < at_least ? "has too few items that match \"contains\"" :
					"has too many items that match \"contains\"");
}

/* Keywords that look at the members of an object. */

static bool
walk_properties(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
				const BiJson *value)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *property;

	if (!bi_assert_spend(&walk->assert, bi_json_length(arg)))
		return false;
	while (bi_json_next(arg, &next, &key, &property))
	{
		const BiJson *member = bi_json_get(value, key);

		if (member && !walk_member(walk, place, property, key, member))
			return false;
	}
	return true;
}

static bool
walk_pattern_properties(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
						const BiJson *value)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *member;

	while (bi_json_next(value, &next, &key, &member))
	{
		void	   *next_pattern = NULL;
		const char *pattern;
		BiJson	   *property;

		while (bi_json_next(arg, &next_pattern, &pattern, &property))
			if (bi_assert_matches(&walk->assert, pattern, key, strlen(key)) &&
				!walk_member(walk, place, property, key, member))
				return false;
	}
	return true;
}

/* True if "properties" or "patternProperties" covers that member. */
static bool
is_spoken_of(Walk *walk, const BiJson *schema, const char *key)
{
	void	   *next = NULL;
	const char *pattern;
	BiJson	   *property;

	if (bi_json_get(bi_json_get(schema, "properties"), key))
		return true;
	while (bi_json_next(bi_json_get(schema, "patternProperties"), &next, &pattern, &property))
		if (bi_assert_matches(&walk->assert, pattern, key, strlen(key)))
			return true;
	return false;
}

static bool
walk_additional(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
				const BiJson *value)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *member;

	while (bi_assert_spend(&walk->assert, 1) && bi_json_next(value, &next, &key, &member))
		if (!is_spoken_of(walk, schema, key) && !walk_member(walk, place, arg, key, member))
			return false;
	return true;
}

static bool
walk_names(Walk *walk, const Place *place, const BiJson *schema, const BiJson *arg,
		   const BiJson *value)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *member;

	while (bi_assert_spend(&walk->assert, 10) && bi_json_next(value, &next, &key, &member))
	{
		Place		below = {.up = place, .key = key};
		StringInfoData text;
		BiJson	   *name;

		initStringInfo(&text);
		bi_json_append_string(&text, key);
		name = bi_json_parse(text.data, text.len);
		pfree(text.data);
		if (!try_schema(walk, place, arg, name))
			return mismatch(walk, &below, "is a name that \"propertyNames\" does not allow");
	}
	return true;
}

static const struct
{
	const char *name;
	Keyword		walk;
}			keywords[] =
{
	{"$ref", walk_ref},
	{"additionalProperties", walk_additional},
	{"allOf", walk_all_of},
	{"anyOf", walk_any_of},
	{"contains", walk_contains},
	{"dependentSchemas", walk_dependent},
	{"if", walk_if},
	{"items", walk_items},
	{"not", walk_not},
	{"oneOf", walk_one_of},
	{"patternProperties", walk_pattern_properties},
	{"prefixItems", walk_prefix_items},
	{"properties", walk_properties},
	{"propertyNames", walk_names},
};

static bool
walk_keyword(Walk *walk, const Place *place, const BiJson *schema, const char *name,
			 const BiJson *arg, const BiJson *value)
{
	const char *complaint;

	if (!bi_assert_spend(&walk->assert, 1))
		return false;
	for (int i = 0; i < lengthof(keywords); i++)
		if (strcmp(keywords[i].name, name) == 0)
			return keywords[i].walk(walk, place, schema, arg, value);
	complaint = bi_assert_complaint(&walk->assert, name, arg, value);
	return complaint == NULL || mismatch(walk, place, complaint);
}

/* True if the budget allows one more schema. */
static bool
may_go_on(Walk *walk)
{
	CHECK_FOR_INTERRUPTS();
	if (walk->depth > DEPTH_MAX || stack_is_too_deep())
		walk->too_deep = true;
	return bi_assert_spend(&walk->assert, 1) && !walk->too_deep;
}

static bool
walk_schema(Walk *walk, const Place *place, const BiJson *schema, const BiJson *value)
{
	void	   *next = NULL;
	const char *name;
	BiJson	   *arg;
	bool		matches = true;

	if (!may_go_on(walk))
		return false;
	if (bi_json_type(schema) == BI_JSON_BOOL)
		return bi_json_bool(schema, true) || mismatch(walk, place, "is not allowed");
	walk->depth++;
	while (matches && bi_json_next(schema, &next, &name, &arg))
		matches = walk_keyword(walk, place, schema, name, arg, value);
	walk->depth--;
	return matches && !walk->too_deep;
}

BiSchema *
bi_schema_compile(const BiJson *tree, char **why)
{
	BiSchema   *schema = palloc(sizeof(BiSchema));

	schema->root = tree;
	schema->dialect = bi_dialect_read(tree, why);
	return schema->dialect ? schema : NULL;
}

BiSchema *
bi_schema_read(const char *text, char **why)
{
	size_t		len = strlen(text);

	if (len > BI_SCHEMA_BYTES_MAX)
	{
		*why = psprintf("it is too large: %zu bytes, of %d at most", len, BI_SCHEMA_BYTES_MAX);
		return NULL;
	}
	return bi_schema_compile(bi_json_parse(text, len), why);
}

char *
bi_schema_mismatch(const BiSchema *schema, const BiJson *value, bool *too_costly)
{
	Walk		walk =
		{.dialect = schema->dialect, .assert = {.dialect = schema->dialect, .work_max = WORK_MAX}};
	Place		root = {NULL};
	bool		matches = walk_schema(&walk, &root, schema->root, value);

	*too_costly = true;
	if (walk.assert.work > WORK_MAX)
		return psprintf("checking the output against the response schema takes more than %d steps",
						WORK_MAX);
	if (walk.too_deep)
		return psprintf("checking the output against the response schema leads through more than"
						" %d schemas in schemas", DEPTH_MAX);
	*too_costly = false;
	return matches ? NULL : walk.mismatch;
}
