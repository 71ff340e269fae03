/*
 * provider/bedrock_spec.c: from a job to its records.
 *
 * Prompts and messages go to any text model by Converse, embeddings by the model's own
 * request, and so do whole bodies.  What Bedrock would tell only hours later, in each record's
 * result, is refused at submit where it can be known.  Called through the routine table, by
 * submit and by whoever renders records.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/bedrock.h"
#include "provider/body.h"

/* A job's time, in hours. */
#define HOURS_MIN 24
#define HOURS_MAX 168

#define ACCOUNT_LEN 12

/* Where a member of params goes. */
typedef enum Home
{
	HOME_BODY,					/* Converse's own */
	HOME_INFERENCE,				/* inferenceConfig */
	HOME_MODEL					/* additionalModelRequestFields: the model's own */
} Home;

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
bi_bedrock_spec_invocation(const BiSpec *spec)
{
	return spec->task == BI_TASK_CHAT && spec->input != BI_INPUT_BODY ? "Converse" : "InvokeModel";
}

int
bi_bedrock_spec_hours(const BiServer *server)
{
	const char *window = server->completion_window;
	size_t		digits = window ? strspn(window, "0123456789") : 0;
	long		hours;

	if (window == NULL)
		return 0;
	hours = strtol(window, NULL, 10);
	if (digits == 0 || digits > 3 || strcmp(window + digits, "h") != 0 || hours < HOURS_MIN || hours > HOURS_MAX)
		return -1;
	return (int) hours;
}

/* params: what stands where */

/* Under which name a member of params goes where. */
static const char *
name_of(const char *key, Home *home)
{
	static const struct
	{
		const char *key;
		Home		home;
		const char *name;
	}			known[] =
	{
		{"system", HOME_BODY, "system"},
		{"guardrailConfig", HOME_BODY, "guardrailConfig"},
		{"performanceConfig", HOME_BODY, "performanceConfig"},
		{"promptVariables", HOME_BODY, "promptVariables"},
		{"requestMetadata", HOME_BODY, "requestMetadata"},
		{"serviceTier", HOME_BODY, "serviceTier"},
		{"outputConfig", HOME_BODY, "outputConfig"},
		{"inferenceConfig", HOME_BODY, "inferenceConfig"},
		{"additionalModelRequestFields", HOME_BODY, "additionalModelRequestFields"},
		{"additionalModelResponseFieldPaths", HOME_BODY, "additionalModelResponseFieldPaths"},
		{"maxTokens", HOME_INFERENCE, "maxTokens"},
		{"max_tokens", HOME_INFERENCE, "maxTokens"},
		{"temperature", HOME_INFERENCE, "temperature"},
		{"topP", HOME_INFERENCE, "topP"},
		{"top_p", HOME_INFERENCE, "topP"},
		{"stopSequences", HOME_INFERENCE, "stopSequences"},
		{"stop_sequences", HOME_INFERENCE, "stopSequences"},
	};

	for (int i = 0; i < lengthof(known); i++)
	{
		if (strcmp(key, known[i].key) != 0)
			continue;
		*home = known[i].home;
		return known[i].name;
	}
	*home = HOME_MODEL;
	return key;
}

/* Those members of params, as those of one object with a comma before each; whether there is any. */
static bool
append_home(StringInfo out, const BiJson *params, Home wanted, const char *before)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;
	bool		any = false;

	while (bi_json_next(params, &place, &key, &value))
	{
		Home		home;
		const char *name = name_of(key, &home);

		if (home != wanted || bi_json_type(value) == BI_JSON_NULL)
			continue;
		appendStringInfoString(out, any ? "," : before);
		bi_json_append_string(out, name);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
		any = true;
	}
	return any;
}

/* Refusals */

/* One and the same thing said twice. */
static char *
refuse_twice(const BiJson *params, const char *key)
{
	Home		home;
	const char *name = name_of(key, &home);

	if (strcmp(name, key) != 0 && bi_json_get(params, name))
		return psprintf("params may not set both \"%s\" and \"%s\"", key, name);
	if (home == HOME_INFERENCE && bi_json_get(params, "inferenceConfig"))
		return psprintf("params may not set \"%s\" beside \"inferenceConfig\"", key);
	if (home == HOME_MODEL && bi_json_get(params, "additionalModelRequestFields"))
		return psprintf("params may not set \"%s\" beside \"additionalModelRequestFields\"", key);
	return NULL;
}

static char *
refuse_max_tokens(const BiJson *params)
{
	static const char *const names[] = {"maxTokens", "max_tokens"};

	for (int i = 0; i < lengthof(names); i++)
	{
		const BiJson *tokens = bi_json_get(params, names[i]);

		if (tokens && (bi_json_type(tokens) != BI_JSON_INT || bi_json_int(tokens, 0) < 1))
			return psprintf("params may set \"%s\" only to a whole number from 1", names[i]);
	}
	return NULL;
}

static char *
refuse_chat_params(const BiSpec *spec, const BiJson *params)
{
	static const char *const ours[] = {"model", "modelId", "messages", "stream"};
	static const char *const tools[] = {"toolConfig", "tools", "tool_choice"};
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;
	char	   *why = refuse_max_tokens(params);

	for (int i = 0; i < lengthof(ours); i++)
		if (bi_json_get(params, ours[i]))
			return psprintf("params may not set \"%s\"", ours[i]);
	for (int i = 0; i < lengthof(tools); i++)
		if (bi_json_get(params, tools[i]))
			return psprintf("params may not set \"%s\": the provider takes no tools in such batches, but in a column \"body\" with the model's own requests",
							tools[i]);
	if (spec->system_prompt && bi_json_get(params, "system"))
		return pstrdup("params may not set \"system\" where system_prompt is given");
	while (!why && bi_json_next(params, &place, &key, &value))
		why = refuse_twice(params, key);
	return why;
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
	if (spec->task == BI_TASK_EMBEDDING)
		return bi_bedrock_family_refuse(bi_bedrock_family(spec->model), params);
	return refuse_chat_params(spec, params);
}

static char *
refuse_embedding(const BiSpec *spec)
{
	BiBedrockFamily family = bi_bedrock_family(spec->model);

	if (spec->input == BI_INPUT_MESSAGES)
		return pstrdup("messages cannot be embedded");
	if (spec->response_schema)
		return pstrdup("response_schema cannot be used for embeddings");
	if (spec->system_prompt)
		return pstrdup("system_prompt cannot be used for embeddings");
	if (spec->input == BI_INPUT_TEXT && (family == BI_BEDROCK_TEXT || family == BI_BEDROCK_EMBEDDING))
		return psprintf("how model \"%s\" is asked for embeddings is not known: known are those of Amazon Titan, Amazon Nova and Cohere, "
						"others take a column \"body\" with the model's own requests", spec->model);
	return NULL;
}

static char *
refuse_chat(const BiSpec *spec)
{
	BiJson	   *schema = parse(spec->response_schema);

	if (bi_bedrock_family(spec->model) != BI_BEDROCK_TEXT)
		return psprintf("model \"%s\" makes embeddings: use the task \"embedding\"", spec->model);
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	return spec->response_schema && spec->input != BI_INPUT_BODY ? bi_anthropic_schema_refuse(schema) : NULL;
}

static bool
is_account(const char *text)
{
	return strspn(text, "0123456789") == ACCOUNT_LEN;
}

/* arn:PARTITION:iam::ACCOUNT:role/NAME */
static bool
is_role(const char *arn)
{
	const char *account = strstr(arn, ":iam::");

	if (strncmp(arn, "arn:aws", strlen("arn:aws")) != 0 || account == NULL)
		return false;
	account += strlen(":iam::");
	return is_account(account) && strncmp(account + ACCOUNT_LEN, ":role/", strlen(":role/")) == 0;
}

static char *
refuse_server(const BiServer *server)
{
	if (server->role_arn && !is_role(server->role_arn))
		return pstrdup("option \"role_arn\" of the server must be the ARN of a role, such as \"arn:aws:iam::123456789012:role/NAME\"");
	if (server->storage_owner && !(is_account(server->storage_owner) && strlen(server->storage_owner) == ACCOUNT_LEN))
		return psprintf("option \"storage_owner\" of the server must be an account's %d digits", ACCOUNT_LEN);
	if (bi_bedrock_spec_hours(server) < 0)
		return psprintf("option \"completion_window\" of the server must be from \"%dh\" to \"%dh\"", HOURS_MIN, HOURS_MAX);
	return NULL;
}

char *
bi_bedrock_spec_refuse_job(const BiSpec *spec, const BiServer *server)
{
	char	   *why = refuse_server(server);

	if (why == NULL)
		why = spec->task == BI_TASK_EMBEDDING ? refuse_embedding(spec) : refuse_chat(spec);
	return why ? why : refuse_params(spec);
}

static char *
refuse_message(const BiJson *message, int number)
{
	const BiJson *role = bi_json_at(message, "role", NULL);
	const BiJson *content = bi_json_at(message, "content", NULL);

	if (bi_json_string(role, NULL) == NULL)
		return psprintf("message %d must be an object with a \"role\"", number);
	if (equals(role, "system"))
		return psprintf("message %d has the role \"system\": this provider takes the system prompt apart, use the argument system_prompt", number);
	if (!equals(role, "user") && !equals(role, "assistant"))
		return psprintf("message %d must have the role \"user\" or \"assistant\"", number);
	if (bi_json_type(content) != BI_JSON_ARRAY || bi_json_type(bi_json_item(content, 0)) != BI_JSON_OBJECT)
		return psprintf("message %d must have a \"content\" that is an array of blocks, such as [{\"text\": \"...\"}]", number);
	return NULL;
}

static char *
refuse_messages(const BiJson *messages)
{
	char	   *why = NULL;

	if (bi_json_type(messages) != BI_JSON_ARRAY || bi_json_length(messages) == 0)
		return pstrdup("messages must be a JSON array that is not empty");
	for (int i = 0; !why && i < bi_json_length(messages); i++)
		why = refuse_message(bi_json_item(messages, i), i + 1);
	return why;
}

/* All of several answers are paid for, and one is read. */
static char *
refuse_body(const BiSpec *spec, const BiJson *body)
{
	static const char *const ours[] = {"model", "modelId"};

	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	for (int i = 0; i < lengthof(ours); i++)
		if (bi_json_get(body, ours[i]))
			return psprintf("body may not have \"%s\": it is the request that the model itself takes, and a batch has one model", ours[i]);
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	if (bi_json_int(bi_json_at(body, "n", NULL), 1) != 1)
		return pstrdup("body may not set \"n\" to anything but 1");
	if (bi_json_length(bi_json_at(body, "texts", NULL)) > 1)
		return pstrdup("body may not have more than one of \"texts\"");
	if (bi_json_get(body, "modelInput"))
		return psprintf("body must be the model's own request%s", bi_body_whose(body));
	return bi_bedrock_family_refuse_body(bi_bedrock_family(spec->model), body);
}

char *
bi_bedrock_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return refuse_messages(parse(input));
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, parse(input));
	return NULL;
}

/* Records */

/* The job's schema, as JSON in a string, unless params bring a format of their own, or null for none. */
static void
append_schema(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	StringInfoData schema;

	if (spec->response_schema == NULL || bi_json_get(params, "outputConfig"))
		return;
	initStringInfo(&schema);
	bi_anthropic_schema_append(&schema, parse(spec->response_schema));
	appendStringInfoString(out, ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"name\":\"response\",\"schema\":");
	bi_json_append_string(out, schema.data);
	appendStringInfoString(out, "}}}}");
}

/* A request of Converse: what stands before the input and behind it. */
static void
append_converse(const BiSpec *spec, const BiJson *params, StringInfo head, StringInfo tail)
{
	appendStringInfoString(head, "{\"messages\":[");
	if (spec->input == BI_INPUT_TEXT)
	{
		appendStringInfoString(head, "{\"role\":\"user\",\"content\":[{\"text\":");
		appendStringInfoString(tail, "}]}");
	}
	appendStringInfoChar(tail, ']');
	if (spec->system_prompt && *spec->system_prompt)
	{
		appendStringInfoString(tail, ",\"system\":[{\"text\":");
		bi_json_append_string(tail, spec->system_prompt);
		appendStringInfoString(tail, "}]");
	}
	if (append_home(tail, params, HOME_INFERENCE, ",\"inferenceConfig\":{"))
		appendStringInfoChar(tail, '}');
	if (append_home(tail, params, HOME_MODEL, ",\"additionalModelRequestFields\":{"))
		appendStringInfoChar(tail, '}');
	(void) append_home(tail, params, HOME_BODY, ",");
	append_schema(tail, spec, params);
	appendStringInfoChar(tail, '}');
}

void
bi_bedrock_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	static const BiSlot slots[] = {
		[BI_INPUT_TEXT] = BI_SLOT_TEXT, [BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS, [BI_INPUT_BODY] = BI_SLOT_JSON
	};
	BiJson	   *params = parse(spec->params);
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"modelInput\":");
	if (spec->input != BI_INPUT_BODY && spec->task == BI_TASK_EMBEDDING)
		bi_bedrock_family_frame(bi_bedrock_family(spec->model), params, &head, &tail);
	else if (spec->input != BI_INPUT_BODY)
		append_converse(spec, params, &head, &tail);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"recordId\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, slots[spec->input]};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}
