/*
 * provider/google/gemini_schema.c: schemas whose properties keep their order at Google's APIs.
 *
 * There a schema is a map, whose members have no order on the way to the model.  "propertyOrdering"
 * says the order in which they are to be answered.  The APIs accept it in their own schemas and in
 * JSON Schema alike (source: discovery of aiplatform v1 and generativelanguage v1beta).  A schema
 * that has its own "propertyOrdering" keeps it.
 */
#include "postgres.h"

#include "provider/google/fingerprint.h"
#include "provider/google/gemini_schema.h"

#define ORDERING "propertyOrdering"

/* What a value in a request is. */
typedef enum Kind
{
	REQUEST,					/* a part of a request that may hold schemas */
	SCHEMA,						/* a schema, or a list of schemas */
	SCHEMAS,					/* an object whose members are schemas */
	OTHER						/* holds no schema */
} Kind;

/* True if name is one of the list (up to a NULL), in snake_case or camelCase. */
static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (bi_fingerprint_same_name(name, *names))
			return true;
	return false;
}

/* Returns what the member of that name is, in a value of that kind. */
static Kind
member_kind(Kind kind, const char *name)
{
	static const char *const roots[] = {
		"responseSchema", "responseJsonSchema", "parameters", "parametersJsonSchema", NULL
	};
	static const char *const maps[] = {"properties", "$defs", "defs", "definitions", NULL};
	static const char *const schemas[] = {
		"items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties", NULL
	};

	switch (kind)
	{
		case REQUEST:
			return is_one_of(name, roots) ? SCHEMA : REQUEST;
		case SCHEMA:
			if (is_one_of(name, maps))
				return SCHEMAS;
			return is_one_of(name, schemas) ? SCHEMA : OTHER;
		case SCHEMAS:
			return SCHEMA;
		case OTHER:
			break;
	}
	return OTHER;
}

/* Appends the member with the names of the properties, in order.  It is left out for fewer than two
 * names, beside a reference, where no other member counts, and if the schema has its own. */
static void
append_ordering(StringInfo out, const BiJson *schema)
{
	const BiJson *properties = bi_json_get(schema, "properties");
	void	   *place = NULL;
	const char *name;
	BiJson	   *value;
	const char *before = ",\"" ORDERING "\":[";

	if (bi_json_type(properties) != BI_JSON_OBJECT || bi_json_length(properties) < 2 ||
		bi_fingerprint_member(schema, ORDERING) || bi_json_get(schema, "$ref"))
		return;
	while (bi_json_next(properties, &place, &name, &value))
	{
		appendStringInfoString(out, before);
		bi_json_append_string(out, name);
		before = ",";
	}
	appendStringInfoChar(out, ']');
}

/* Appends a value of that kind, with the order of properties in each schema. */
static void
append_value(StringInfo out, const BiJson *value, Kind kind)
{
	bool		list = bi_json_type(value) == BI_JSON_ARRAY;
	void	   *place = NULL;
	const char *name;
	BiJson	   *member;
	const char *before = "";

	if (kind == OTHER || (!list && bi_json_type(value) != BI_JSON_OBJECT))
	{
		bi_json_append(out, value);
		return;
	}
	appendStringInfoChar(out, list ? '[' : '{');
	for (int i = 0; list && i < bi_json_length(value); i++, before = ",")
	{
		appendStringInfoString(out, before);
		append_value(out, bi_json_item(value, i), kind);
	}
	for (; bi_json_next(value, &place, &name, &member); before = ",")
	{
		appendStringInfoString(out, before);
		bi_json_append_string(out, name);
		appendStringInfoChar(out, ':');
		append_value(out, member, member_kind(kind, name));
	}
	if (kind == SCHEMA)
		append_ordering(out, value);
	appendStringInfoChar(out, list ? ']' : '}');
}

void
bi_gemini_schema_append(StringInfo out, const BiJson *schema)
{
	append_value(out, schema, SCHEMA);
}

void
bi_gemini_schema_append_member(StringInfo out, const char *name, const BiJson *value)
{
	append_value(out, value, member_kind(REQUEST, name));
}
