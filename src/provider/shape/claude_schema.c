/*
 * provider/shape/claude_schema.c: the part of JSON Schema that Claude takes for structured output.
 *
 * The API refuses each request whose schema says what it cannot assert (Anthropic's documentation,
 * page structured-outputs).  So, as the vendor's own clients do, constraints of numbers and lengths
 * go into the description, where the model reads them, objects are closed, and "oneOf" becomes
 * "anyOf".  A schema that has no such form, for instance an object without properties or a part
 * without a type, is refused at submit.  The outputs are checked against the original in any case.
 */
#include "postgres.h"

#include "provider/shape/claude_schema.h"
#include "provider/words.h"

#define DEPTH_MAX 64

/* True if the keyword holds schemas by name. */
static bool
is_map(const char *key)
{
	static const char *const keys[] = {"properties", "$defs", "definitions", NULL};

	return bi_words_list(keys, key);
}

/* True if the keyword holds a list of schemas. */
static bool
is_list(const char *key)
{
	static const char *const keys[] = {"anyOf", "oneOf", "allOf", NULL};

	return bi_words_list(keys, key);
}

/* True if the schema is one of objects, by its type or by what it asserts. */
static bool
is_object(const BiJson *schema)
{
	const BiJson *type = bi_json_get(schema, "type");

	if (type == NULL)
		return bi_json_get(schema, "properties") != NULL;
	for (int i = 0; bi_json_type(type) == BI_JSON_ARRAY && i < bi_json_length(type); i++)
		if (bi_json_equals(bi_json_item(type, i), "object"))
			return true;
	return bi_json_equals(type, "object");
}

/* Reasons */

static char *refuse_schema(const BiJson *schema, const char *place, int depth);

static char *
refuse_children(const BiJson *children, const char *place, int depth)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *child;
	char	   *why = NULL;

	for (int i = 0; !why && bi_json_type(children) == BI_JSON_ARRAY &&
		 i < bi_json_length(children); i++)
		why = refuse_schema(bi_json_item(children, i), psprintf("%s/%d", place, i), depth);
	while (!why && bi_json_next(children, &next, &key, &child))
		why = refuse_schema(child, psprintf("%s/%s", place, key), depth);
	return why;
}

static char *
refuse(const char *place, const char *why)
{
	return *place ? psprintf("response_schema, at \"%s\": it %s", place, why)
		: psprintf("response_schema %s", why);
}

static char *
refuse_this(const BiJson *schema, const char *place)
{
	static const char *const asserting[] = {
		"type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", NULL
	};
	bool		asserts = false;

	if (bi_json_type(schema) != BI_JSON_OBJECT)
		return refuse(place, "must be an object for this provider");
	for (const char *const *key = asserting; *key; key++)
		asserts = asserts || bi_json_get(schema, *key);
	if (!asserts)
		return refuse(place, "must have a \"type\" for this provider");
	if (is_object(schema) && bi_json_length(bi_json_get(schema, "properties")) == 0 &&
		bi_json_bool(bi_json_get(schema, "additionalProperties"), true))
		return refuse(place, "must name its \"properties\": this provider's models make no others");
	return NULL;
}

static char *
refuse_schema(const BiJson *schema, const char *place, int depth)
{
	char	   *why = refuse_this(schema, place);
	void	   *next = NULL;
	const char *key;
	BiJson	   *child;

	if (depth > DEPTH_MAX)
		return pstrdup("response_schema is too deep");
	while (!why && bi_json_next(schema, &next, &key, &child))
	{
		if (is_map(key) || is_list(key))
			why = refuse_children(child, psprintf("%s/%s", place, key), depth + 1);
		else if (strcmp(key, "items") == 0)
			why = refuse_schema(child, psprintf("%s/items", place), depth + 1);
	}
	return why;
}

char *
bi_claude_schema_refuse(const BiJson *schema)
{
	return refuse_schema(schema, "", 1);
}

/* Writing */

static void
append_key(StringInfo out, const char *key)
{
	if (out->data[out->len - 1] != '{')
		appendStringInfoChar(out, ',');
	bi_json_append_string(out, key);
	appendStringInfoChar(out, ':');
}

static void append_schema(StringInfo out, const BiJson *schema);

static void
append_map(StringInfo out, const BiJson *schemas)
{
	void	   *next = NULL;
	const char *key;
	BiJson	   *schema;

	appendStringInfoChar(out, '{');
	while (bi_json_next(schemas, &next, &key, &schema))
	{
		append_key(out, key);
		append_schema(out, schema);
	}
	appendStringInfoChar(out, '}');
}

static void
append_list(StringInfo out, const BiJson *schemas)
{
	appendStringInfoChar(out, '[');
	for (int i = 0; i < bi_json_length(schemas); i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_schema(out, bi_json_item(schemas, i));
	}
	appendStringInfoChar(out, ']');
}

/* True if the API takes that keyword as it is. */
static bool
is_taken(const char *key, const BiJson *value)
{
	static const char *const keys[] = {
		"$ref", "type", "enum", "const", "default", "title", "required", NULL
	};
	static const char *const formats[] = {
		"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
		NULL
	};

	if (strcmp(key, "minItems") == 0)
		return bi_json_int(value, -1) == 0 || bi_json_int(value, -1) == 1;
	if (strcmp(key, "format") == 0)
		return bi_words_list(formats, bi_json_string(value, NULL));
	return bi_words_list(keys, key);
}

/* True if the keyword says nothing to the model. */
static bool
is_left_out(const char *key)
{
	static const char *const keys[] = {
		"$schema", "$id", "$comment", "description", "additionalProperties", NULL
	};

	return bi_words_list(keys, key);
}

/* Returns the API's name of a keyword. */
static const char *
name_of(const BiJson *schema, const char *key)
{
	return strcmp(key, "oneOf") == 0 && !bi_json_get(schema, "anyOf") ? "anyOf" : key;
}

/* Appends one keyword to out, or to rest if the API cannot assert it. */
static void
append_keyword(StringInfo out, StringInfo rest, const BiJson *schema, const char *key,
			   const BiJson *value)
{
	bool		ref = bi_json_get(schema, "$ref") != NULL;

	/* Beside a reference only definitions are taken. */
	if (is_left_out(key) ||
		(ref && strcmp(key, "$ref") != 0 && strcmp(key, "$defs") != 0 &&
		 strcmp(key, "definitions") != 0))
		return;
	if (!is_map(key) && strcmp(key, "anyOf") != 0 && strcmp(key, "allOf") != 0 &&
		strcmp(key, "items") != 0 && strcmp(name_of(schema, key), "anyOf") != 0 &&
		!is_taken(key, value))
	{
		append_key(rest, key);
		bi_json_append(rest, value);
		return;
	}
	append_key(out, name_of(schema, key));
	if (is_map(key))
		append_map(out, value);
	else if (is_list(key))
		append_list(out, value);
	else if (strcmp(key, "items") == 0)
		append_schema(out, value);
	else
		bi_json_append(out, value);
}

/* Appends the description, followed by what the API cannot assert. */
static void
append_description(StringInfo out, const BiJson *schema, const char *rest)
{
	char	   *said = bi_json_cstring(bi_json_get(schema, "description"));

	if (bi_json_get(schema, "$ref") || (said == NULL && *rest == '\0'))
		return;
	append_key(out, "description");
	bi_json_append_string(out,
						  psprintf("%s%s%s", said ? said : "", said && *rest ? "\n\n" : "", rest));
}

static void
append_schema(StringInfo out, const BiJson *schema)
{
	StringInfoData rest;
	void	   *next = NULL;
	const char *key;
	BiJson	   *value;

	initStringInfo(&rest);
	appendStringInfoChar(&rest, '{');
	appendStringInfoChar(out, '{');
	while (bi_json_next(schema, &next, &key, &value))
		append_keyword(out, &rest, schema, key, value);
	if (is_object(schema) && !bi_json_get(schema, "$ref"))
	{
		append_key(out, "additionalProperties");
		appendStringInfoString(out, "false");
	}
	appendStringInfoChar(&rest, '}');
	append_description(out, schema, rest.len > 2 ? rest.data : "");
	appendStringInfoChar(out, '}');
}

void
bi_claude_schema_append(StringInfo out, const BiJson *schema)
{
	append_schema(out, schema);
}
