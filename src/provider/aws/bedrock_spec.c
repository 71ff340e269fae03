/*
 * provider/aws/bedrock_spec.c: the records of a job, and what a job may not ask for.
 *
 * Decided here:
 * - Prompts and messages go to the text models of all makers by Converse: one form of request, one
 *   form of answer.
 * - Embeddings are asked for by the model's own request (bedrock_family.c), with InvokeModel.
 * - A column "body" is the model's own request too, and is not changed.
 * - What Bedrock would say only hours later, in each record's result, is refused at submit if it
 *   can be known there.
 *
 * Source of names and places: botocore, bedrock-runtime 2023-09-30 service-2.json (seen 2026-08).
 */
#include "postgres.h"

#include "provider/aws/bedrock_family.h"
#include "provider/aws/bedrock_spec.h"
#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/shape/claude_schema.h"
#include "provider/words.h"

/* The hours that a job may take (source: botocore, timeoutDurationInHours, 2026-08). */
#define HOURS_MIN 24
#define HOURS_MAX 168

/* The digits of an AWS account. */
#define ACCOUNT_LEN 12

/* Where a member of params goes in a request of Converse. */
typedef enum Home
{
	HOME_BODY,					/* the request itself: it is Converse's own */
	HOME_INFERENCE,				/* inferenceConfig */
	HOME_MODEL					/* additionalModelRequestFields: it is the model's own */
} Home;

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
	if (digits == 0 || digits > 3 || strcmp(window + digits, "h") != 0)
		return -1;
	return hours >= HOURS_MIN && hours <= HOURS_MAX ? (int) hours : -1;
}

/* params */

/* Returns the name under which a member of params is sent, and sets *home to where it goes. */
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

/* Appends the members of params that go to this place, with before in front of the first.  True if
 * there is any. */
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

/* Refusals.  Each function returns why something cannot be sent, palloc'd, or NULL. */

/* Refuses a member of params that says the same as another one. */
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

/* Refuses params of a prompt or of messages.  Tools: a record of Converse with a toolConfig fails
 * (source: Bedrock's user guide, "Batch inference", seen 2026-11). */
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
			return psprintf("params may not set \"%s\": the provider takes tools only in a column "
							"\"body\" with the model's own requests", tools[i]);
	if (spec->system_prompt && bi_json_get(params, "system"))
		return pstrdup("params may not set \"system\" where system_prompt is given");
	while (!why && bi_json_next(params, &place, &key, &value))
		why = refuse_twice(params, key);
	return why;
}

/* Refuses params that this job cannot have. */
static char *
refuse_params(const BiSpec *spec)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	char	   *why = bi_body_refuse_params(spec, params);

	if (why || spec->params == NULL || spec->input == BI_INPUT_BODY)
		return why;
	if (spec->task == BI_TASK_EMBEDDING)
		return bi_bedrock_family_refuse(bi_bedrock_family_of(spec->model), params);
	return refuse_chat_params(spec, params);
}

/* Refuses a job of task "embedding". */
static char *
refuse_embedding(const BiSpec *spec)
{
	BiBedrockFamily family = bi_bedrock_family_of(spec->model);
	bool		known = family != BI_BEDROCK_TEXT && family != BI_BEDROCK_EMBEDDING;
	char	   *why = bi_embedding_refuse_job(spec);

	if (why)
		return why;
	if (spec->input == BI_INPUT_TEXT && !known)
		return psprintf("how model \"%s\" is asked for embeddings is not known: known are those of "
						"Amazon Titan, Amazon Nova and Cohere, others take a column \"body\" with "
						"the model's own requests", spec->model);
	return NULL;
}

/* Refuses a job of task "chat". */
static char *
refuse_chat(const BiSpec *spec)
{
	BiJson	   *schema = bi_json_parse_cstring(spec->response_schema);

	if (bi_bedrock_family_of(spec->model) != BI_BEDROCK_TEXT)
		return psprintf("model \"%s\" makes embeddings: use the task \"embedding\"", spec->model);
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	if (spec->response_schema == NULL || spec->input == BI_INPUT_BODY)
		return NULL;
	return bi_claude_schema_refuse(schema);
}

/* True if text begins with an account's number. */
static bool
is_account(const char *text)
{
	return strspn(text, "0123456789") == ACCOUNT_LEN;
}

/* True if it is the ARN of a role: arn:PARTITION:iam::ACCOUNT:role/NAME. */
static bool
is_role(const char *arn)
{
	const char *account = strstr(arn, ":iam::");

	if (!bi_words_begin(arn, "arn:aws") || account == NULL)
		return false;
	account += strlen(":iam::");
	return is_account(account) && bi_words_begin(account + ACCOUNT_LEN, ":role/");
}

/* Refuses options of the server that Bedrock would refuse with each job. */
static char *
refuse_server(const BiServer *server)
{
	const char *owner = server->storage_owner;

	if (server->role_arn && !is_role(server->role_arn))
		return pstrdup("option \"role_arn\" of the server must be the ARN of a role, such as "
					   "\"arn:aws:iam::123456789012:role/NAME\"");
	if (owner && !(is_account(owner) && strlen(owner) == ACCOUNT_LEN))
		return psprintf("option \"storage_owner\" of the server must be an account's %d digits",
						ACCOUNT_LEN);
	if (bi_bedrock_spec_hours(server) < 0)
		return psprintf("option \"completion_window\" of the server must be from \"%dh\" to "
						"\"%dh\"", HOURS_MIN, HOURS_MAX);
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

/* Refuses the number-th message, from 1, if Converse would. */
static char *
refuse_message(const BiJson *message, int number)
{
	const BiJson *content = bi_json_at(message, "content", NULL);
	char	   *why = bi_body_refuse_role(message, number);

	if (why)
		return why;
	if (bi_json_type(content) != BI_JSON_ARRAY ||
		bi_json_type(bi_json_item(content, 0)) != BI_JSON_OBJECT)
		return psprintf("message %d must have a \"content\" that is an array of blocks, such as "
						"[{\"text\": \"...\"}]", number);
	return NULL;
}

/* Refuses an input that is a body.  Of several answers to one request all are paid for and one is
 * read, so a body may ask for one only.  A body with a model fails at Bedrock, hours later ("Extra
 * inputs are not permitted"; source: maximhq/bifrost#4516). */
static char *
refuse_body(const BiSpec *spec, const BiJson *body)
{
	static const char *const ours[] = {"model", "modelId"};

	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	for (int i = 0; i < lengthof(ours); i++)
		if (bi_json_get(body, ours[i]))
			return psprintf("body may not have \"%s\": it is the request that the model itself "
							"takes, and a batch has one model", ours[i]);
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	if (bi_json_int(bi_json_at(body, "n", NULL), 1) != 1)
		return pstrdup("body may not set \"n\" to anything but 1");
	if (bi_json_length(bi_json_at(body, "texts", NULL)) > 1)
		return pstrdup("body may not have more than one of \"texts\"");
	if (bi_json_get(body, "modelInput"))
		return psprintf("body must be the model's own request%s", bi_body_whose(body));
	return bi_bedrock_family_refuse_body(bi_bedrock_family_of(spec->model), body);
}

char *
bi_bedrock_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return bi_body_refuse_messages(bi_json_parse_cstring(input), refuse_message);
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, bi_json_parse_cstring(input));
	return NULL;
}

/* Records */

/* Appends the job's schema, which Converse takes as JSON in a string.  outputConfig in params goes
 * before it, also if it is null: some models refuse any. */
static void
append_schema(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	StringInfoData schema;

	if (spec->response_schema == NULL || bi_json_get(params, "outputConfig"))
		return;
	initStringInfo(&schema);
	bi_claude_schema_append(&schema, bi_json_parse_cstring(spec->response_schema));
	appendStringInfoString(out, ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\","
						   "\"structure\":{\"jsonSchema\":{\"name\":\"response\",\"schema\":");
	bi_json_append_string(out, schema.data);
	appendStringInfoString(out, "}}}}");
}

/* Appends a request of Converse: to head what stands before the input, to tail what stands
 * behind. */
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

static const BiSlot slots[] = {
	[BI_INPUT_TEXT] = BI_SLOT_TEXT,
	[BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS,
	[BI_INPUT_BODY] = BI_SLOT_JSON
};

/* Appends the model's input, or all of it but a body of the query. */
static void
append_input(const BiSpec *spec, StringInfo head, StringInfo tail)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);

	if (spec->input != BI_INPUT_BODY && spec->task == BI_TASK_EMBEDDING)
		bi_bedrock_family_frame(bi_bedrock_family_of(spec->model), params, head, tail);
	else if (spec->input != BI_INPUT_BODY)
		append_converse(spec, params, head, tail);
}

void
bi_bedrock_spec_frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	append_input(spec, &head, &tail);
	bi_frame_make_body(frame, &head, slots[spec->input], &tail);
}

void
bi_bedrock_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"modelInput\":");
	append_input(spec, &head, &tail);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->separator = NULL;
	frame->part[0] = (BiFramePart) {pstrdup("{\"recordId\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, slots[spec->input]};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
}
