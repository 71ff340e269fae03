/*
 * provider/openai_spec.c: from a job to its request lines, as OpenAI has them.
 *
 * Knows the bodies of chat completions, responses and embeddings and what of a job can
 * go into them; no requests, no replies.  Called through the routine table, by submit and by
 * whoever renders lines.
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/openai.h"

static const char *const chat_keys[] = {"model", "messages", "stream", NULL};
static const char *const response_keys[] = {"model", "input", "stream", NULL};
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

/* Members that we write. */
static const char *const *
own_keys(const BiSpec *spec)
{
	if (spec->task == BI_TASK_EMBEDDING)
		return embedding_keys;
	return bi_openai_endpoint_is_responses(spec) ? response_keys : chat_keys;
}

/* What we put into members that params may set too. */
static char *
refuse_shared(const BiSpec *spec, const BiJson *params)
{
	const BiJson *text = bi_json_get(params, "text");

	if (!bi_openai_endpoint_is_responses(spec))
		return NULL;
	if (spec->system_prompt && bi_json_get(params, "instructions"))
		return pstrdup("params may not set \"instructions\" beside system_prompt");
	if (spec->response_schema && text && bi_json_type(text) != BI_JSON_OBJECT)
		return pstrdup("\"text\" in params must be an object");
	return NULL;
}

static char *
refuse_params(const BiSpec *spec)
{
	BiJson	   *params = parse(spec->params);
	char	   *why;

	if (spec->params == NULL)
		return NULL;
	if (bi_json_type(params) != BI_JSON_OBJECT)
		return pstrdup("params must be a JSON object");
	if (spec->input == BI_INPUT_BODY)
		return bi_json_length(params) == 0 ? NULL : pstrdup("params cannot be used where the query returns whole bodies");
	for (const char *const *key = own_keys(spec); *key; key++)
		if (bi_json_get(params, *key))
			return psprintf("params may not set \"%s\"", *key);
	if (is_wrong_encoding(spec, params))
		return pstrdup("params may not set \"encoding_format\" to anything but \"float\"");
	if (has_many_answers(spec, params))
		return pstrdup("params may not set \"n\" to anything but 1");
	why = refuse_shared(spec, params);
	return why ? why : bi_openai_endpoint_refuse_members(spec, params, "params");
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

/* Parts that /v1/responses has under other names. */
static char *
refuse_parts(const BiJson *parts, int message)
{
	static const struct
	{
		const char *type;
		const char *instead;
	}			strays[] = {{"text", "input_text"}, {"image_url", "input_image"}};

	for (int i = 0; bi_json_type(parts) == BI_JSON_ARRAY && i < bi_json_length(parts); i++)
		for (int j = 0; j < lengthof(strays); j++)
			if (equals(bi_json_at(bi_json_item(parts, i), "type", NULL), strays[j].type))
				return psprintf("message %d has a part of type \"%s\": /v1/responses takes \"%s\"",
								message, strays[j].type, strays[j].instead);
	return NULL;
}

/* Items of /v1/responses: messages, and what has a type of its own. */
static char *
refuse_items(const BiJson *items)
{
	char	   *why = NULL;

	if (bi_json_type(items) != BI_JSON_ARRAY || bi_json_length(items) == 0)
		return pstrdup("messages must be a JSON array that is not empty");
	for (int i = 0; why == NULL && i < bi_json_length(items); i++)
	{
		const BiJson *item = bi_json_item(items, i);

		if (!bi_json_string(bi_json_at(item, "role", NULL), NULL) &&
			!bi_json_string(bi_json_at(item, "type", NULL), NULL))
			why = psprintf("message %d must be an object with a \"role\" or a \"type\"", i + 1);
		else if (equals(bi_json_at(item, "role", NULL), "tool"))
			why = psprintf("message %d has the role \"tool\": /v1/responses takes an item of type"
						   " \"function_call_output\"", i + 1);
		else
			why = refuse_parts(bi_json_at(item, "content", NULL), i + 1);
	}
	return why;
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
		return psprintf("body must have \"model\" and it must be \"%s\": a batch has one model%s", spec->model,
						bi_json_get(body, "messages") || bi_json_get(body, "input") ? "" : bi_body_whose(body));
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	if (is_wrong_encoding(spec, body))
		return pstrdup("body may not set \"encoding_format\" to anything but \"float\"");
	if (has_many_inputs(spec, body))
		return pstrdup("body may not have more than one \"input\"");
	if (has_many_answers(spec, body))
		return pstrdup("body may not set \"n\" to anything but 1");
	return bi_openai_endpoint_refuse_body(spec, body);
}

char *
bi_openai_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (spec->input == BI_INPUT_MESSAGES && bi_openai_endpoint_is_responses(spec))
		return refuse_items(parse(input));
	if (spec->input == BI_INPUT_MESSAGES)
		return refuse_messages(parse(input));
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, parse(input));
	return NULL;
}

/* As OpenAI's guide to embeddings and its page of each model say. */
int
bi_openai_spec_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"text-embedding-3-small", 1536}, {"text-embedding-3-large", 3072}, {"text-embedding-ada-002", 1536}, {NULL}
	};

	return bi_embedding_size(spec, bi_json_get(parse(spec->params), "dimensions"), models);
}

/* The members of params but one, which may be NULL. */
static void
append_params(StringInfo out, const BiJson *params, const char *but)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(params, &place, &key, &value))
	{
		if (but && strcmp(key, but) == 0)
			continue;
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
	}
}

static void
append_schema(StringInfo out, const BiJson *schema)
{
	appendStringInfo(out, "\"name\":\"response\",\"strict\":%s,\"schema\":",
					 bi_openai_schema_is_strict(schema) ? "true" : "false");
	bi_json_append(out, schema);
}

static void
append_response_format(StringInfo out, const BiJson *schema)
{
	appendStringInfoString(out, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{");
	append_schema(out, schema);
	appendStringInfoString(out, "}}");
}

/* The same for /v1/responses, beside what else params have in "text". */
static void
append_text_format(StringInfo out, const BiJson *text, const BiJson *schema)
{
	appendStringInfoString(out, ",\"text\":{\"format\":{\"type\":\"json_schema\",");
	append_schema(out, schema);
	appendStringInfoChar(out, '}');
	append_params(out, text, "format");
	appendStringInfoChar(out, '}');
}

/* Begins the input, where a response's system prompt stands beside it. */
static void
begin_response(StringInfo out, const BiSpec *spec)
{
	if (spec->system_prompt)
	{
		appendStringInfoString(out, ",\"instructions\":");
		bi_json_append_string(out, spec->system_prompt);
	}
	appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? ",\"input\":" : ",\"input\":[");
}

static void
begin_chat(StringInfo out, const BiSpec *spec)
{
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

/* What stands before the input, after the custom id. */
static void
append_head(StringInfo out, const BiSpec *spec)
{
	appendStringInfo(out, "\",\"method\":\"POST\",\"url\":\"%s\",\"body\":", bi_openai_endpoint_path(spec));
	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, "{\"model\":");
	bi_json_append_string(out, spec->model);
	if (spec->task == BI_TASK_EMBEDDING)
		appendStringInfoString(out, ",\"input\":");
	else if (bi_openai_endpoint_is_responses(spec))
		begin_response(out, spec);
	else
		begin_chat(out, spec);
}

/* Nobody fetches a response of ours by its id: the provider need not keep it. */
static void
end_response(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	const BiJson *text = bi_json_get(params, "text");
	bool		ours = spec->response_schema && !bi_json_at(text, "format", NULL);

	if (spec->input == BI_INPUT_MESSAGES)
		appendStringInfoChar(out, ']');
	if (!bi_json_get(params, "store"))
		appendStringInfoString(out, ",\"store\":false");
	append_params(out, params, ours ? "text" : NULL);
	if (ours)
		append_text_format(out, text, parse(spec->response_schema));
}

static void
end_chat(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]" : "]");
	append_params(out, params, NULL);
	if (spec->response_schema && !bi_json_get(params, "response_format"))
		append_response_format(out, parse(spec->response_schema));
}

static void
end_embedding(StringInfo out, const BiJson *params)
{
	if (!bi_json_get(params, "encoding_format"))
		appendStringInfoString(out, ",\"encoding_format\":\"float\"");
	append_params(out, params, NULL);
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
	if (spec->task == BI_TASK_EMBEDDING)
		end_embedding(out, params);
	else if (bi_openai_endpoint_is_responses(spec))
		end_response(out, spec, params);
	else
		end_chat(out, spec, params);
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
