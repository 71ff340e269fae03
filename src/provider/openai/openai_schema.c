/*
 * provider/openai/openai_schema.c: response schemas that OpenAI takes as strict.
 *
 * A schema outside of the strict subset is refused with "strict": true, so it is sent without.
 * Source: OpenAI's guide "Structured model outputs", supported schemas.
 */
#include "postgres.h"

#include "provider/openai/openai_schema.h"
#include "provider/words.h"

#define STRICT_DEPTH 10			/* objects and lists in each other */

static bool is_strict(const BiJson *schema, int depth);

static bool
lists(const BiJson *names, const char *name)
{
	for (int i = 0; i < bi_json_length(names); i++)
		if (bi_json_equals(bi_json_item(names, i), name))
			return true;
	return false;
}

/* True if all properties are required and no others allowed. */
static bool
is_closed(const BiJson *schema)
{
	const BiJson *required = bi_json_get(schema, "required");
	void	   *place = NULL;
	const char *key;
	BiJson	   *property;

	while (bi_json_next(bi_json_get(schema, "properties"), &place, &key, &property))
		if (!lists(required, key))
			return false;
	return bi_json_type(bi_json_get(schema, "properties")) == BI_JSON_OBJECT &&
		!bi_json_bool(bi_json_get(schema, "additionalProperties"), true);
}

static bool
are_strict(const BiJson *schemas, int depth)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *schema;

	for (int i = 0; bi_json_type(schemas) == BI_JSON_ARRAY && i < bi_json_length(schemas); i++)
		if (!is_strict(bi_json_item(schemas, i), depth))
			return false;
	while (bi_json_next(schemas, &place, &key, &schema))
		if (!is_strict(schema, depth))
			return false;
	return true;
}

static bool
has_type(const BiJson *schema, const char *type)
{
	const BiJson *types = bi_json_get(schema, "type");

	return bi_json_equals(types, type) || lists(types, type);
}

static bool
is_strict(const BiJson *schema, int depth)
{
	static const char *const taken[] = {
		"$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "definitions",
		"description",
		"enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum",
		"minItems",
		"minimum", "multipleOf", "pattern", "properties", "required", "title", "type", NULL
	};
	void	   *place = NULL;
	const char *key;
	BiJson	   *arg;

	if (bi_json_type(schema) != BI_JSON_OBJECT || depth > STRICT_DEPTH)
		return false;
	while (bi_json_next(schema, &place, &key, &arg))
		if (!bi_words_list(taken, key))
			return false;
	if (!bi_json_get(schema, "type") && !bi_json_get(schema, "$ref") &&
		!bi_json_get(schema, "anyOf"))
		return false;
	if ((has_type(schema, "object") || bi_json_get(schema, "properties")) && !is_closed(schema))
		return false;
	if (has_type(schema, "array") && !is_strict(bi_json_get(schema, "items"), depth + 1))
		return false;
	return are_strict(bi_json_get(schema, "properties"), depth + 1) &&
		are_strict(bi_json_get(schema, "anyOf"), depth) &&
		are_strict(bi_json_get(schema, "$defs"), depth) &&
		are_strict(bi_json_get(schema, "definitions"), depth);
}

bool
bi_openai_schema_is_strict(const BiJson *schema)
{
	return bi_json_equals(bi_json_get(schema, "type"), "object") && !bi_json_get(schema, "anyOf") &&
		is_strict(schema, 1);
}
