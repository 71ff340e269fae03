/*
 * base/dialect.c: the keywords of JSON Schema 2020-12 that we know, and the shape
 * that each one's value must have.
 *
 * Knows no values and no checks; schema.c has those.  Annotations, formats and unknown
 * keywords are ignored.  Keywords that demand something which schema.c cannot check are
 * refused, so that nothing is paid for with a schema that we only half understand.
 *
 * What each value would need again is made here once: compiled patterns and the targets of
 * references.  What would cost too much is refused with its figure: too many schemas, patterns
 * that are too large, and schemas that lead to others so often that one value is checked too
 * many times.  All of it is counted and not timed, so that it is the same on every machine.
 */
#include "postgres.h"

#include "base/dialect.h"
#include "base/pattern.h"
#include "base/pointer.h"
#include "miscadmin.h"
#include "utils/hsearch.h"

#define SCHEMAS_MAX 10000
#define PATTERNS_MAX (3 * BI_PATTERN_SIZE_MAX)	/* a pattern counts by the square of its size */
#define MEETS_MAX 10000

typedef enum Shape
{
	SHAPE_ENUM,
	SHAPE_TYPE,
	SHAPE_BOOL,
	SHAPE_NUMBER,
	SHAPE_STEP,
	SHAPE_COUNT,
	SHAPE_PATTERN,
	SHAPE_NAMES,
	SHAPE_NAMES_MAP,
	SHAPE_SCHEMA,
	SHAPE_SCHEMA_LIST,
	SHAPE_SCHEMA_MAP,
	SHAPE_PATTERN_MAP,
	SHAPE_REF,
	SHAPE_ID,
	SHAPE_UNSUPPORTED
} Shape;

typedef struct Keyword
{
	const char *name;
	Shape		shape;
	bool		in_place;		/* its schemas see the same value as the schema that it is in */
} Keyword;

static const Keyword keywords[] = {
	{"$dynamicRef", SHAPE_UNSUPPORTED},
	{"$id", SHAPE_ID},
	{"$recursiveRef", SHAPE_UNSUPPORTED},
	{"$ref", SHAPE_REF, true},
	{"$defs", SHAPE_SCHEMA_MAP},
	{"additionalProperties", SHAPE_SCHEMA},
	{"allOf", SHAPE_SCHEMA_LIST, true},
	{"anyOf", SHAPE_SCHEMA_LIST, true},
	{"contains", SHAPE_SCHEMA},
	{"definitions", SHAPE_SCHEMA_MAP},
	{"dependencies", SHAPE_UNSUPPORTED},
	{"dependentRequired", SHAPE_NAMES_MAP},
	{"dependentSchemas", SHAPE_SCHEMA_MAP, true},
	{"else", SHAPE_SCHEMA, true},
	{"enum", SHAPE_ENUM},
	{"exclusiveMaximum", SHAPE_NUMBER},
	{"exclusiveMinimum", SHAPE_NUMBER},
	{"if", SHAPE_SCHEMA, true},
	{"items", SHAPE_SCHEMA},
	{"maxContains", SHAPE_COUNT},
	{"maximum", SHAPE_NUMBER},
	{"maxItems", SHAPE_COUNT},
	{"maxLength", SHAPE_COUNT},
	{"maxProperties", SHAPE_COUNT},
	{"minContains", SHAPE_COUNT},
	{"minimum", SHAPE_NUMBER},
	{"minItems", SHAPE_COUNT},
	{"minLength", SHAPE_COUNT},
	{"minProperties", SHAPE_COUNT},
	{"multipleOf", SHAPE_STEP},
	{"not", SHAPE_SCHEMA, true},
	{"oneOf", SHAPE_SCHEMA_LIST, true},
	{"pattern", SHAPE_PATTERN},
	{"patternProperties", SHAPE_PATTERN_MAP},
	{"prefixItems", SHAPE_SCHEMA_LIST},
	{"properties", SHAPE_SCHEMA_MAP},
	{"propertyNames", SHAPE_SCHEMA},
	{"required", SHAPE_NAMES},
	{"then", SHAPE_SCHEMA, true},
	{"type", SHAPE_TYPE},
	{"unevaluatedItems", SHAPE_UNSUPPORTED},
	{"unevaluatedProperties", SHAPE_UNSUPPORTED},
	{"uniqueItems", SHAPE_BOOL},
};

/* A schema that the walk has met. */
typedef struct Met
{
	const BiJson *schema;		/* the hash key */
	bool		open;			/* on the present path of the search for loops */
	bool		done;
	int64		visits;			/* after the search: schemas that one value may meet from here on */
} Met;

/* What a keyword's value, or a key of patternProperties, leads to. */
typedef struct Link
{
	const void *at;				/* the hash key: its address in the tree */
	void	   *to;
} Link;

struct BiDialect
{
	HTAB	   *links;			/* of Link */
};

typedef struct Walk
{
	const BiJson *root;
	BiDialect  *dialect;
	HTAB	   *met;
	int			schemas;		/* met so far */
	int64		patterns;		/* the squares of their sizes, over the largest size */
	char	   *why;
} Walk;

static bool walk_schema(Walk *walk, const BiJson *schema);

static const Keyword *
find_keyword(const char *name)
{
	for (int i = 0; i < lengthof(keywords); i++)
		if (strcmp(keywords[i].name, name) == 0)
			return &keywords[i];
	return NULL;
}

static bool
refuse(Walk *walk, const char *keyword, const char *why)
{
	if (walk->why == NULL)
		walk->why = keyword ? psprintf("\"%s\" %s", keyword, why) : pstrdup(why);
	return false;
}

static void
add_link(Walk *walk, const void *at, void *to)
{
	Link	   *link = hash_search(walk->dialect->links, &at, HASH_ENTER, NULL);

	link->to = to;
}

static bool
walk_names(Walk *walk, const char *name, const BiJson *arg)
{
	bool		good = bi_json_type(arg) == BI_JSON_ARRAY;

	for (int i = 0; good && i < bi_json_length(arg); i++)
		good = bi_json_type(bi_json_item(arg, i)) == BI_JSON_STRING;
	return good || refuse(walk, name, "must list strings");
}

static bool
walk_names_map(Walk *walk, const char *name, const BiJson *arg)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *names;
	bool		good = bi_json_type(arg) == BI_JSON_OBJECT ||
		refuse(walk, name, "must be an object");

	while (good && bi_json_next(arg, &place, &key, &names))
		good = walk_names(walk, name, names);
	return good;
}

/* Compiles the pattern text.  It is found again by the address at. */
static bool
walk_pattern(Walk *walk, const char *name, const void *at, const char *text, size_t len)
{
	char	   *why;
	BiPattern  *pattern = bi_pattern_compile(text, len, &why);
	int64		size = pattern ? bi_pattern_size(pattern) : 0;

	if (pattern == NULL)
		return refuse(walk, name, psprintf("has a regular expression that we cannot use: %s", why));
	add_link(walk, at, pattern);
	walk->patterns += 1 + size * size / BI_PATTERN_SIZE_MAX;
	return walk->patterns <= PATTERNS_MAX ||
		refuse(walk, NULL,
			   psprintf("its patterns are too large: together they are more than three of the"
						" largest size, %d", BI_PATTERN_SIZE_MAX));
}

static bool
walk_list(Walk *walk, const char *name, const BiJson *arg)
{
	bool		good = bi_json_type(arg) == BI_JSON_ARRAY && bi_json_length(arg) > 0;

	if (!good)
		return refuse(walk, name, "must be a list of schemas");
	for (int i = 0; good && i < bi_json_length(arg); i++)
		good = walk_schema(walk, bi_json_item(arg, i));
	return good;
}

static bool
walk_map(Walk *walk, const char *name, const BiJson *arg, bool patterns)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *schema;
	bool		good = bi_json_type(arg) == BI_JSON_OBJECT ||
		refuse(walk, name, "must be an object of schemas");

	while (good && bi_json_next(arg, &place, &key, &schema))
		good = (!patterns || walk_pattern(walk, name, key, key, strlen(key))) &&
			walk_schema(walk, schema);
	return good;
}

static bool
is_type_name(const BiJson *json)
{
	const char *names[] = {"array", "boolean", "integer", "null", "number", "object", "string"};
	const char *name = bi_json_string(json, NULL);

	for (int i = 0; name && i < lengthof(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
walk_type(Walk *walk, const char *name, const BiJson *arg)
{
	bool		good = is_type_name(arg) || bi_json_length(arg) > 0;

	if (good && !is_type_name(arg))
		for (int i = 0; good && i < bi_json_length(arg); i++)
			good = is_type_name(bi_json_item(arg, i));
	return good || refuse(walk, name, "must be a type or a list of types");
}

static bool
walk_ref(Walk *walk, const char *name, const BiJson *arg)
{
	char	   *ref = bi_json_type(arg) == BI_JSON_STRING ? bi_json_cstring(arg) : NULL;
	BiJson	   *target;

	if (ref == NULL)
		return refuse(walk, name, "must be a string");
	if (ref[0] != '#')
		return refuse(walk, name, "must be local: it must begin with \"#\"");
	target = bi_pointer_resolve(walk->root, ref);
	if (target == NULL)
		return refuse(walk, name, "names nothing in this schema");
	add_link(walk, arg, target);
	return walk_schema(walk, target);
}

static bool
walk_keyword(Walk *walk, const Keyword *keyword, const BiJson *schema, const BiJson *arg)
{
	const char *name = keyword->name;
	BiJsonType	type = bi_json_type(arg);
	bool		number = type == BI_JSON_INT || type == BI_JSON_DOUBLE;
	double		value = bi_json_double(arg, -1);
	size_t		len;
	const char *string = bi_json_string(arg, &len);

	switch (keyword->shape)
	{
		case SHAPE_ENUM:
			return (type == BI_JSON_ARRAY && bi_json_length(arg) > 0) ||
				refuse(walk, name, "must list values");
		case SHAPE_TYPE:
			return walk_type(walk, name, arg);
		case SHAPE_BOOL:
			return type == BI_JSON_BOOL || refuse(walk, name, "must be true or false");
		case SHAPE_NUMBER:
			return number || refuse(walk, name, "must be a number");
		case SHAPE_STEP:
			return (number && value > 0) || refuse(walk, name, "must be a number above 0");
		case SHAPE_COUNT:
			return (number && value >= 0 && value == (double) bi_json_int(arg, -1)) ||
				refuse(walk, name, "must be a whole number from 0");
		case SHAPE_PATTERN:
			return string ? walk_pattern(walk, name, arg, string, len)
				: refuse(walk, name, "must be a string");
		case SHAPE_NAMES:
			return walk_names(walk, name, arg);
		case SHAPE_NAMES_MAP:
			return walk_names_map(walk, name, arg);
		case SHAPE_SCHEMA:
			if (type == BI_JSON_ARRAY)
				return refuse(walk, name, "must be one schema; a list of them is \"prefixItems\"");
			return walk_schema(walk, arg);
		case SHAPE_SCHEMA_LIST:
			return walk_list(walk, name, arg);
		case SHAPE_SCHEMA_MAP:
		case SHAPE_PATTERN_MAP:
			return walk_map(walk, name, arg, keyword->shape == SHAPE_PATTERN_MAP);
		case SHAPE_REF:
			return walk_ref(walk, name, arg);
		case SHAPE_ID:
			return schema == walk->root || refuse(walk, name, "is supported at the top only");
		case SHAPE_UNSUPPORTED:
			return refuse(walk, name, "is not supported");
	}
	return true;
}

static bool
walk_schema(Walk *walk, const BiJson *schema)
{
	bool		found;
	Met		   *met;
	void	   *place = NULL;
	const char *key;
	BiJson	   *arg;

	if (stack_is_too_deep())
		return refuse(walk, NULL, "the schema is nested too deeply");
	if (bi_json_type(schema) == BI_JSON_BOOL)
		return true;
	if (bi_json_type(schema) != BI_JSON_OBJECT)
		return refuse(walk, NULL, "a schema must be an object, true or false");
	met = hash_search(walk->met, &schema, HASH_ENTER, &found);
	if (found)
		return true;
	met->open = met->done = false;
	met->visits = 0;
	if (++walk->schemas > SCHEMAS_MAX)
		return refuse(walk, NULL, psprintf("it has more than %d schemas in it", SCHEMAS_MAX));
	while (bi_json_next(schema, &place, &key, &arg))
	{
		const Keyword *keyword = find_keyword(key);

		if (keyword && !walk_keyword(walk, keyword, schema, arg))
			return false;
	}
	return true;
}

/*
 * Searches for loops.  A schema that leads to itself by keywords that all look at the same value
 * would never end.  On its way back it adds up how many schemas one value may meet: two references
 * to the next schema, 26 times in a row, make 67 million.
 */
static bool search_loop(Walk *walk, const BiJson *schema, int64 *visits);

static bool
search_keyword(Walk *walk, const Keyword *keyword, const BiJson *arg, int64 *visits)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *schema;

	if (keyword->shape == SHAPE_REF)
		return search_loop(walk, bi_dialect_find(walk->dialect, arg), visits);
	if (keyword->shape == SHAPE_SCHEMA)
		return search_loop(walk, arg, visits);
	for (int i = 0; keyword->shape == SHAPE_SCHEMA_LIST && i < bi_json_length(arg); i++)
		if (!search_loop(walk, bi_json_item(arg, i), visits))
			return false;
	while (keyword->shape == SHAPE_SCHEMA_MAP && bi_json_next(arg, &place, &key, &schema))
		if (!search_loop(walk, schema, visits))
			return false;
	return true;
}

/* Searches the keywords of one schema, and sets met->visits. */
static bool
search_schema(Walk *walk, Met *met)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *arg;

	met->visits = 1;
	while (bi_json_next(met->schema, &place, &key, &arg))
	{
		const Keyword *keyword = find_keyword(key);

		if (keyword && keyword->in_place && !search_keyword(walk, keyword, arg, &met->visits))
			return false;
	}
	return met->visits <= MEETS_MAX ||
		refuse(walk, NULL,
			   psprintf("its schemas lead to each other so often that one value may be checked "
						"against " INT64_FORMAT " of them, of %d at most", met->visits, MEETS_MAX));
}

/* Adds to *visits how many schemas a value meets from here on.  False if there is a loop. */
static bool
search_loop(Walk *walk, const BiJson *schema, int64 *visits)
{
	Met		   *met = hash_search(walk->met, &schema, HASH_FIND, NULL);

	CHECK_FOR_INTERRUPTS();
	if (met && !met->done)
	{
		if (stack_is_too_deep())
			return refuse(walk, NULL, "the schema is nested too deeply");
		if (met->open)
			return refuse(walk, "$ref", "leads back to itself");
		met->open = true;
		if (!search_schema(walk, met))
			return false;
		met->open = false;
		met->done = true;
	}
	*visits += met ? met->visits : 1;	/* true and false are not met */
	return true;
}

static bool
search_loops(Walk *walk)
{
	HASH_SEQ_STATUS all;
	Met		   *met;
	int64		root_visits = 0;

	if (!search_loop(walk, walk->root, &root_visits))
		return false;
	hash_seq_init(&all, walk->met);
	while ((met = hash_seq_search(&all)) != NULL)
	{
		int64		visits = 0;

		if (!search_loop(walk, met->schema, &visits))
		{
			hash_seq_term(&all);
			return false;
		}
	}
	return true;
}

static HTAB *
new_table(const char *name, Size entrysize)
{
	HASHCTL		control = {.keysize = sizeof(void *), .entrysize = entrysize};

	control.hcxt = CurrentMemoryContext;
	return hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

BiDialect *
bi_dialect_read(const BiJson *schema, char **why)
{
	BiDialect  *dialect = palloc0(sizeof(BiDialect));
	Walk		walk = {.root = schema, .dialect = dialect};

	dialect->links = new_table("batchinf schema links", sizeof(Link));
	walk.met = new_table("batchinf schemas met", sizeof(Met));
	if (walk_schema(&walk, schema))
		search_loops(&walk);
	hash_destroy(walk.met);
	*why = walk.why;
	return walk.why ? NULL : dialect;
}

void *
bi_dialect_find(const BiDialect *dialect, const void *at)
{
	Link	   *link = hash_search(dialect->links, &at, HASH_FIND, NULL);

	return link ? link->to : NULL;
}
