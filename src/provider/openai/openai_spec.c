/*
 * provider/openai/openai_spec.c: from a job to its request lines, as OpenAI has them.
 *
 * Knows the bodies of chat completions, responses and embeddings and what of a job can go into
 * them; no requests, no replies.  Source: OpenAI's API reference of the three endpoints.
 *
 * Decided here:
 * - response_format is sent as strict only for schemas in OpenAI's strict subset
 *   (openai_schema.c); others are sent with strict: false.  Outputs are checked in any case.
 * - "store" of a response is sent as false unless params set it: nobody fetches a response of ours
 *   by its id.
 * - max_tokens and max_completion_tokens are left to params: we send neither.
 * - n other than 1 is refused: all answers would be paid for, and one is read.
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/openai/openai_endpoint.h"
#include "provider/openai/openai_schema.h"
#include "provider/openai/openai_spec.h"
#include "provider/wire.h"

static const char *const chat_keys[] = {"model", "messages", "stream", NULL};
static const char *const response_keys[] = {"model", "input", "stream", NULL};
static const char *const embedding_keys[] = {"model", "input", "stream", NULL};

/* True if embeddings would come as base64, which no output of ours could show. */
static bool
is_wrong_encoding(const BiSpec *spec, const BiJson *body)
{
	const BiJson *format = bi_json_at(body, "encoding_format", NULL);

	return spec->task == BI_TASK_EMBEDDING && format && !bi_json_equals(format, "float");
}

static bool
has_many_answers(const BiSpec *spec, const BiJson *body)
{
	const BiJson *n = bi_json_at(body, "n", NULL);

	return spec->task == BI_TASK_CHAT && n && bi_json_type(n) != BI_JSON_NULL &&
		bi_json_int(n, 0) != 1;
}

/* Returns the members that we write. */
static const char *const *
own_keys(const BiSpec *spec)
{
	if (spec->task == BI_TASK_EMBEDDING)
		return embedding_keys;
	return bi_openai_endpoint_is_responses(spec) ? response_keys : chat_keys;
}

/* Returns why params may not set what the job sets too, or NULL. */
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
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	char	   *why = bi_body_refuse_params(spec, params);

	if (why || spec->params == NULL || spec->input == BI_INPUT_BODY)
		return why;
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
	BiJson	   *schema = bi_json_parse_cstring(spec->response_schema);
	char	   *why = spec->task == BI_TASK_EMBEDDING ? bi_embedding_refuse_job(spec) : NULL;

	if (why)
		return why;
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	return refuse_params(spec);
}

/* Returns why a message has a part that /v1/responses has under another name, or NULL. */
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
			if (bi_json_equals(bi_json_at(bi_json_item(parts, i), "type", NULL), strays[j].type))
				return psprintf("message %d has a part of type \"%s\": /v1/responses takes \"%s\"",
								message, strays[j].type, strays[j].instead);
	return NULL;
}

/* Returns why this is no item of /v1/responses: a message, or what has a type of its own. */
static char *
refuse_item(const BiJson *item, int number)
{
	const BiJson *role = bi_json_at(item, "role", NULL);

	if (!bi_json_string(role, NULL) && !bi_json_string(bi_json_at(item, "type", NULL), NULL))
		return psprintf("message %d must be an object with a \"role\" or a \"type\"", number);
	if (bi_json_equals(role, "tool"))
		return psprintf("message %d has the role \"tool\": /v1/responses takes an item of type"
						" \"function_call_output\"", number);
	return refuse_parts(bi_json_at(item, "content", NULL), number);
}

/* Returns why this is no message of chat completions. */
static char *
refuse_message(const BiJson *message, int number)
{
	if (bi_json_string(bi_json_at(message, "role", NULL), NULL))
		return NULL;
	return psprintf("message %d must be an object with a \"role\"", number);
}

/* True if a body asks for several embeddings.  A list of numbers is one input, of tokens. */
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
	if (!bi_json_equals(bi_json_at(body, "model", NULL), spec->model))
		return psprintf("body must have \"model\" and it must be \"%s\": a batch has one model%s",
						spec->model,
						bi_json_get(body, "messages") || bi_json_get(body, "input") ? ""
						: bi_body_whose(body));
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
		return bi_body_refuse_messages(bi_json_parse_cstring(input), refuse_item);
	if (spec->input == BI_INPUT_MESSAGES)
		return bi_body_refuse_messages(bi_json_parse_cstring(input), refuse_message);
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, bi_json_parse_cstring(input));
	return NULL;
}

/* Sizes: OpenAI's guide to embeddings and its page of each model. */
int
bi_openai_spec_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"text-embedding-3-small", 1536}, {"text-embedding-3-large", 3072},
		{"text-embedding-ada-002", 1536}, {NULL}
	};

	return bi_embedding_size(spec, bi_json_get(bi_json_parse_cstring(spec->params), "dimensions"),
							 models);
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

/* The same for /v1/responses, with what else params have in "text". */
static void
append_text_format(StringInfo out, const BiJson *text, const BiJson *schema)
{
	appendStringInfoString(out, ",\"text\":{\"format\":{\"type\":\"json_schema\",");
	append_schema(out, schema);
	appendStringInfoChar(out, '}');
	bi_wire_append_members(out, text, "format");
	appendStringInfoChar(out, '}');
}

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

/* Appends what a body has before the input. */
static void
append_head(StringInfo out, const BiSpec *spec)
{
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

static void
end_response(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	const BiJson *text = bi_json_get(params, "text");
	bool		ours = spec->response_schema && !bi_json_at(text, "format", NULL);

	if (spec->input == BI_INPUT_MESSAGES)
		appendStringInfoChar(out, ']');
	if (!bi_json_get(params, "store"))
		appendStringInfoString(out, ",\"store\":false");
	bi_wire_append_members(out, params, ours ? "text" : NULL);
	if (ours)
		append_text_format(out, text, bi_json_parse_cstring(spec->response_schema));
}

static void
end_chat(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]" : "]");
	bi_wire_append_members(out, params, NULL);
	if (spec->response_schema && !bi_json_get(params, "response_format"))
		append_response_format(out, bi_json_parse_cstring(spec->response_schema));
}

static void
end_embedding(StringInfo out, const BiJson *params)
{
	if (!bi_json_get(params, "encoding_format"))
		appendStringInfoString(out, ",\"encoding_format\":\"float\"");
	bi_wire_append_members(out, params, NULL);
}

/* Appends what a body has after the input. */
static void
append_tail(StringInfo out, const BiSpec *spec)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);

	if (spec->input == BI_INPUT_BODY)
		return;
	if (spec->task == BI_TASK_EMBEDDING)
		end_embedding(out, params);
	else if (bi_openai_endpoint_is_responses(spec))
		end_response(out, spec, params);
	else
		end_chat(out, spec, params);
	appendStringInfoChar(out, '}');
}

static const BiSlot slots[] = {
	[BI_INPUT_TEXT] = BI_SLOT_TEXT, [BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS,
	[BI_INPUT_BODY] = BI_SLOT_JSON
};

void
bi_openai_spec_frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	append_head(&head, spec);
	append_tail(&tail, spec);
	bi_frame_make_body(frame, &head, slots[spec->input], &tail);
}

void
bi_openai_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfo(&head, "\",\"method\":\"POST\",\"url\":\"%s\",\"body\":",
					 bi_openai_endpoint_path(spec));
	append_head(&head, spec);
	append_tail(&tail, spec);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, slots[spec->input]};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}
