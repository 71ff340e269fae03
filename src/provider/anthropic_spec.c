/*
 * provider/anthropic_spec.c: from a job to its requests, as Anthropic has them.
 *
 * Knows the body of a Messages request and what of a job can go into it; no requests of
 * batches, no replies.  What the API would only tell in each request's result is refused
 * at submit where it can be known.  Called through the routine table, by submit and by
 * whoever renders requests, and by those who serve Claude elsewhere.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/body.h"
#include "provider/wire.h"

/* The first version without them. */
#define VERSION_NO_SAMPLING "2026-10-21"

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

/* What an answer may have where the job does not say: enough for a model that thinks, and
 * no more than the model has.  Only what is made is paid for. */
static int64
default_max_tokens(const char *model)
{
	static const struct
	{
		const char *prefix;
		int64		tokens;
	}			small[] =
	{
		{"claude-3-7-", 32000},
		{"claude-3-5-", 8192},
		{"claude-3-", 4096},
	};

	const char *name = strstr(model, "claude-");	/* elsewhere more stands before it */

	for (int i = 0; name && i < lengthof(small); i++)
		if (strncmp(name, small[i].prefix, strlen(small[i].prefix)) == 0)
			return small[i].tokens;
	return 32000;
}

/* Refusals */

/* Versions are dates, so they sort. */
static bool
has_sampling(const BiServer *server)
{
	return strcmp(server->api_version ? server->api_version : BI_ANTHROPIC_VERSION, VERSION_NO_SAMPLING) < 0;
}

static const char *
find_key(const BiJson *params, const char *const *keys)
{
	for (; *keys; keys++)
		if (bi_json_get(params, *keys))
			return *keys;
	return NULL;
}

static char *
refuse_keys(const BiSpec *spec, const BiServer *server, const BiJson *params)
{
	static const char *const ours[] = {"model", "anthropic_version", "messages", "stream", NULL};
	static const char *const sampling[] = {"temperature", "top_p", "top_k", NULL};
	static const char *const unbatched[] = {
		"speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", NULL
	};
	const char *key;

	if ((key = find_key(params, ours)) != NULL)
		return psprintf("params may not set \"%s\"", key);
	if (spec->system_prompt && bi_json_get(params, "system"))
		return pstrdup("params may not set \"system\" where system_prompt is given");
	if ((key = find_key(params, unbatched)) != NULL)
		return psprintf("params may not set \"%s\": the provider does not take it in a batch", key);
	if (equals(bi_json_get(params, "research_preview_2026_02"), "active"))
		return pstrdup("params may not set \"research_preview_2026_02\": the provider does not take it in a batch");
	if (!has_sampling(server) && (key = find_key(params, sampling)) != NULL)
		return psprintf("params may not set \"%s\": the provider refuses it since API version %s, and the server has %s", key,
						VERSION_NO_SAMPLING, server->api_version);
	return NULL;
}

static char *
refuse_values(const BiSpec *spec, const BiJson *params)
{
	const BiJson *max_tokens = bi_json_get(params, "max_tokens");
	const BiJson *output_config = bi_json_get(params, "output_config");
	int64		tokens = bi_json_int(max_tokens, default_max_tokens(spec->model));

	if (max_tokens && (bi_json_type(max_tokens) != BI_JSON_INT || tokens < 1))
		return pstrdup("params may set \"max_tokens\" only to a whole number from 1");
	if (bi_json_int(bi_json_at(params, "thinking", "budget_tokens", NULL), 0) >= tokens)
		return pstrdup("params must set \"max_tokens\" to more than \"budget_tokens\" of \"thinking\"");
	if (output_config && bi_json_type(output_config) != BI_JSON_OBJECT)
		return pstrdup("params may set \"output_config\" only to an object");
	return NULL;
}

static char *
refuse_params(const BiSpec *spec, const BiServer *server)
{
	BiJson	   *params = parse(spec->params);
	char	   *why;

	if (spec->params == NULL)
		return NULL;
	if (bi_json_type(params) != BI_JSON_OBJECT)
		return pstrdup("params must be a JSON object");
	if (spec->input == BI_INPUT_BODY)
		return bi_json_length(params) == 0 ? NULL : pstrdup("params cannot be used where the query returns whole bodies");
	why = refuse_keys(spec, server, params);
	return why ? why : refuse_values(spec, params);
}

char *
bi_anthropic_spec_refuse_job(const BiSpec *spec, const BiServer *server)
{
	BiJson	   *schema = parse(spec->response_schema);
	char	   *why = NULL;

	if (spec->task == BI_TASK_EMBEDDING)
		return pstrdup("this provider has no embeddings: use a server of another one for the task \"embedding\"");
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	if (spec->response_schema && spec->input != BI_INPUT_BODY)
		why = bi_anthropic_schema_refuse(schema);
	return why ? why : refuse_params(spec, server);
}

static char *
refuse_message(const BiJson *message, int number)
{
	const BiJson *role = bi_json_at(message, "role", NULL);
	BiJsonType	content = bi_json_type(bi_json_at(message, "content", NULL));

	if (bi_json_string(role, NULL) == NULL)
		return psprintf("message %d must be an object with a \"role\"", number);
	if (equals(role, "system"))
		return psprintf("message %d has the role \"system\": this provider takes the system prompt apart, use the argument system_prompt", number);
	if (!equals(role, "user") && !equals(role, "assistant"))
		return psprintf("message %d must have the role \"user\" or \"assistant\"", number);
	if (content != BI_JSON_STRING && content != BI_JSON_ARRAY)
		return psprintf("message %d must have a \"content\" that is a text or an array", number);
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

static char *
refuse_body(const BiSpec *spec, const BiJson *body, const char *version)
{
	char	   *why;

	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	if ((why = bi_body_refuse_without(body, "messages")) != NULL)
		return why;
	if (version && bi_json_get(body, "model"))
		return pstrdup("body may not set \"model\": it stands in the batch");
	if (version && !equals(bi_json_at(body, "anthropic_version", NULL), version))
		return psprintf("body must have \"anthropic_version\" and it must be \"%s\"", version);
	if (!version && !equals(bi_json_at(body, "model", NULL), spec->model))
		return psprintf("body must have \"model\" and it must be \"%s\": a batch has one model", spec->model);
	if (bi_json_int(bi_json_at(body, "max_tokens", NULL), 0) < 1)
		return pstrdup("body must have \"max_tokens\", a whole number from 1");
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	return NULL;
}

char *
bi_anthropic_spec_refuse_elsewhere(const BiSpec *spec, const char *input, const char *version)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return refuse_messages(parse(input));
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, parse(input), version);
	return NULL;
}

char *
bi_anthropic_spec_refuse_input(const BiSpec *spec, const char *input)
{
	return bi_anthropic_spec_refuse_elsewhere(spec, input, NULL);
}

/* Requests */

/* The prefix that all requests share, marked for the cache where the server wants that. */
static void
append_system(StringInfo out, const char *system_prompt, const char *cache)
{
	bool		cached = cache && strcmp(cache, "off") != 0;

	appendStringInfoString(out, ",\"system\":");
	if (cached)
		appendStringInfoString(out, "[{\"type\":\"text\",\"text\":");
	bi_json_append_string(out, system_prompt);
	if (cached)
		appendStringInfo(out, ",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"%s\"}}]", cache);
}

void
bi_anthropic_spec_append_head(StringInfo out, const BiSpec *spec, const BiServer *server, const char *version)
{
	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, version ? "{\"anthropic_version\":" : "{\"model\":");
	bi_json_append_string(out, version ? version : spec->model);
	if (!bi_json_get(parse(spec->params), "max_tokens"))
		appendStringInfo(out, ",\"max_tokens\":" INT64_FORMAT, default_max_tokens(spec->model));
	if (spec->system_prompt && *spec->system_prompt)
		append_system(out, spec->system_prompt, server->prompt_cache);
	appendStringInfoString(out, ",\"messages\":[");
	if (spec->input == BI_INPUT_TEXT)
		appendStringInfoString(out, "{\"role\":\"user\",\"content\":");
}

/* Members of an object, each with a comma before it, but for the one named except. */
static void
append_members(StringInfo out, const BiJson *object, const char *except)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
	{
		if (strcmp(key, except) == 0)
			continue;
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
	}
}

/* The job's schema, unless params bring a format of their own. */
static void
append_output_config(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	const BiJson *given = bi_json_get(params, "output_config");
	bool		own = bi_json_get(given, "format") || bi_json_get(params, "output_format");

	if (spec->response_schema && !own)
	{
		appendStringInfoString(out, ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":");
		bi_anthropic_schema_append(out, parse(spec->response_schema));
		appendStringInfoChar(out, '}');
		append_members(out, given, "format");
		appendStringInfoChar(out, '}');
	}
	else if (given)
	{
		appendStringInfoString(out, ",\"output_config\":");
		bi_json_append(out, given);
	}
}

void
bi_anthropic_spec_append_tail(StringInfo out, const BiSpec *spec)
{
	BiJson	   *params = parse(spec->params);

	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]" : "]");
	append_members(out, params, "output_config");
	append_output_config(out, spec, params);
	appendStringInfoChar(out, '}');
}

BiSlot
bi_anthropic_spec_slot(const BiSpec *spec)
{
	static const BiSlot slots[] = {
		[BI_INPUT_TEXT] = BI_SLOT_TEXT, [BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS, [BI_INPUT_BODY] = BI_SLOT_JSON
	};

	return slots[spec->input];
}

void
bi_anthropic_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"params\":");
	bi_anthropic_spec_append_head(&head, spec, server, NULL);
	bi_anthropic_spec_append_tail(&tail, spec);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, bi_anthropic_spec_slot(spec)};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
	frame->separator = ",\n";
}
