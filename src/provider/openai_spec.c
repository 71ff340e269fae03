/*
 * provider/openai_spec.c: from a job to its request lines, as OpenAI has them.
 *
 * Knows the bodies of chat completions and embeddings and what of a job can go into
 * them; no requests, no replies.  Called through the routine table, by submit and by
 * whoever renders lines.
 */
#include "postgres.h"

#include "provider/openai.h"

#define STRICT_DEPTH 10			/* objects and lists in each other */

static const char *const chat_keys[] = {"model", "messages", "stream", NULL};
static const char *const embedding_keys[] = {"model", "input", "stream", NULL};

static BiJson *
parse(const char *text)
{
	return text ? bi_json_parse(text, strlen(text)) : NULL;
}

static bool
equals(const BiJson *json, const char *text)
{
	const char *string = bi_json_string(json, NULL);

	return string && strcmp(string, text) == 0;
}

const char *
bi_openai_spec_endpoint(const BiSpec *spec)
{
	return spec->task == BI_TASK_EMBEDDING ? "/v1/embeddings" : "/v1/chat/completions";
}

/* base64 would have to be decoded, and no output of ours could tell that it is. */
static bool
is_wrong_encoding(const BiSpec *spec, const BiJson *body)
{
	const BiJson *format = bi_json_at(body, "encoding_format", NULL);

	return spec->task == BI_TASK_EMBEDDING && format && !equals(format, "float");
}

/* All of several answers are paid for, and one is read. */
static bool
has_many_answers(const BiSpec *spec, const BiJson *body)
{
	const BiJson *n = bi_json_at(body, "n", NULL);

	return spec->task == BI_TASK_CHAT && n && bi_json_type(n) != BI_JSON_NULL && bi_json_int(n, 0) != 1;
}

static char *
refuse_params(const BiSpec *spec)
{
	BiJson	   *params = parse(spec->params);

	if (spec->params == NULL)
		return NULL;
	if (bi_json_type(params) != BI_JSON_OBJECT)
		return pstrdup("params must be a JSON object");
	if (spec->input == BI_INPUT_BODY)
		return bi_json_length(params) == 0 ? NULL : pstrdup("params cannot be used where the query returns whole bodies");
	for (const char *const *key = spec->task == BI_TASK_EMBEDDING ? embedding_keys : chat_keys; *key; key++)
		if (bi_json_get(params, *key))
			return psprintf("params may not set \"%s\"", *key);
	if (is_wrong_encoding(spec, params))
		return pstrdup("params may not set \"encoding_format\" to anything but \"float\"");
	if (has_many_answers(spec, params))
		return pstrdup("params may not set \"n\" to anything but 1");
	return NULL;
}

char *
bi_openai_spec_refuse_job(const BiSpec *spec, const BiServer *server)
{
	bool		embedding = spec->task == BI_TASK_EMBEDDING;
	BiJson	   *schema = parse(spec->response_schema);

	if (embedding && spec->input == BI_INPUT_MESSAGES)
		return pstrdup("messages cannot be embedded");
	if (embedding && spec->response_schema)
		return pstrdup("response_schema cannot be used for embeddings");
	if (embedding && spec->system_prompt)
		return pstrdup("system_prompt cannot be used for embeddings");
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	return refuse_params(spec);
}

static char *
refuse_messages(const BiJson *messages)
{
	if (bi_json_type(messages) != BI_JSON_ARRAY || bi_json_length(messages) == 0)
		return pstrdup("messages must be a JSON array that is not empty");
	for (int i = 0; i < bi_json_length(messages); i++)
	{
		const BiJson *message = bi_json_item(messages, i);

		if (bi_json_type(message) != BI_JSON_OBJECT ||
			bi_json_string(bi_json_at(message, "role", NULL), NULL) == NULL)
			return psprintf("message %d must be an object with a \"role\"", i + 1);
	}
	return NULL;
}

/* One record, one embedding: a list of numbers is one input, of tokens. */
static bool
has_many_inputs(const BiSpec *spec, const BiJson *body)
{
	const BiJson *input = bi_json_at(body, "input", NULL);
	BiJsonType	first = bi_json_type(bi_json_item(input, 0));

	return spec->task == BI_TASK_EMBEDDING && bi_json_length(input) > 1 && first != BI_JSON_INT;
}

static char *
refuse_body(const BiSpec *spec, const BiJson *body)
{
	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	if (!equals(bi_json_at(body, "model", NULL), spec->model))
		return psprintf("body must have \"model\" and it must be \"%s\": a batch has one model", spec->model);
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	if (is_wrong_encoding(spec, body))
		return pstrdup("body may not set \"encoding_format\" to anything but \"float\"");
	if (has_many_inputs(spec, body))
		return pstrdup("body may not have more than one \"input\"");
	if (has_many_answers(spec, body))
		return pstrdup("body may not set \"n\" to anything but 1");
	return NULL;
}

char *
bi_openai_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return refuse_messages(parse(input));
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, parse(input));
	return NULL;
}

static bool is_strict(const BiJson *schema, int depth);

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static bool
lists(const BiJson *names, const char *name)
{
	for (int i = 0; i < bi_json_length(names); i++)
		if (equals(bi_json_item(names, i), name))
			return true;
	return false;
}

/* All properties required, no others allowed. */
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

	return equals(types, type) || lists(types, type);
}

static bool
is_strict(const BiJson *schema, int depth)
{
	static const char *const taken[] = {
		"$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "definitions", "description",
		"enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems",
		"minimum", "multipleOf", "pattern", "properties", "required", "title", "type", NULL
	};
	void	   *place = NULL;
	const char *key;
	BiJson	   *arg;

	if (bi_json_type(schema) != BI_JSON_OBJECT || depth > STRICT_DEPTH)
		return false;
	while (bi_json_next(schema, &place, &key, &arg))
		if (!is_one_of(key, taken))
			return false;
	if (!bi_json_get(schema, "type") && !bi_json_get(schema, "$ref") && !bi_json_get(schema, "anyOf"))
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
bi_openai_spec_is_strict(const BiJson *schema)
{
	return equals(bi_json_get(schema, "type"), "object") && !bi_json_get(schema, "anyOf") && is_strict(schema, 1);
}

static void
append_params(StringInfo out, const BiJson *params)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(params, &place, &key, &value))
	{
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
	}
}

static void
append_response_format(StringInfo out, const BiJson *schema)
{
	appendStringInfo(out, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"response\",\"strict\":%s,\"schema\":",
					 bi_openai_spec_is_strict(schema) ? "true" : "false");
	bi_json_append(out, schema);
	appendStringInfoString(out, "}}");
}

/* What stands before the input, after the custom id. */
static void
append_head(StringInfo out, const BiSpec *spec)
{
	appendStringInfo(out, "\",\"method\":\"POST\",\"url\":\"%s\",\"body\":", bi_openai_spec_endpoint(spec));
	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, "{\"model\":");
	bi_json_append_string(out, spec->model);
	if (spec->task == BI_TASK_EMBEDDING)
	{
		appendStringInfoString(out, ",\"input\":");
		return;
	}
	appendStringInfoString(out, ",\"messages\":[");
	if (spec->system_prompt)
	{
		appendStringInfoString(out, "{\"role\":\"system\",\"content\":");
		bi_json_append_string(out, spec->system_prompt);
		appendStringInfoString(out, "},");
	}
	if (spec->input == BI_INPUT_TEXT)
		appendStringInfoString(out, "{\"role\":\"user\",\"content\":");
}

/* What stands behind the input. */
static void
append_tail(StringInfo out, const BiSpec *spec)
{
	BiJson	   *params = parse(spec->params);

	if (spec->input == BI_INPUT_BODY)
	{
		appendStringInfoChar(out, '}');
		return;
	}
	if (spec->task == BI_TASK_CHAT)
		appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]" : "]");
	else if (!bi_json_get(params, "encoding_format"))
		appendStringInfoString(out, ",\"encoding_format\":\"float\"");
	append_params(out, params);
	if (spec->response_schema && !bi_json_get(params, "response_format"))
		append_response_format(out, parse(spec->response_schema));
	appendStringInfoString(out, "}}");
}

void
bi_openai_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	static const BiSlot slots[] = {
		[BI_INPUT_TEXT] = BI_SLOT_TEXT, [BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS, [BI_INPUT_BODY] = BI_SLOT_JSON
	};
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	append_head(&head, spec);
	append_tail(&tail, spec);
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, slots[spec->input]};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}
