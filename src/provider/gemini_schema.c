/*
 * provider/gemini_schema.c: schemas as Google's APIs keep their order.
 *
 * There a schema is a map, whose members have no order on the way to the model: what shall
 * answer in the order of writing says so in "propertyOrdering", which the APIs take in their own
 * schemas and in JSON Schema alike (discovery of aiplatform v1 and generativelanguage v1beta).
 * Whoever has written one of their own keeps it.
 */
#include "postgres.h"

#include "provider/fingerprint.h"
#include "provider/gemini.h"

#define ORDERING "propertyOrdering"

/* What a value is. */
typedef enum Kind
{
	REQUEST,					/* a part of a request that may hold schemas */
	SCHEMA,						/* a schema, or a list of some */
	SCHEMAS,					/* schemas by name */
	OTHER						/* holds no schema */
} Kind;

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

/* Appends the names of the properties as a list.  One name has no order, and beside a reference
 * nothing is taken. */
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
