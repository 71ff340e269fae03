/*
 * provider/shape/claude.c: requests of Claude's Messages API.
 *
 * Anthropic defined them; Bedrock and Vertex AI take the same body with "anthropic_version" in the
 * model's place.  Knows the body and what of a job can go into it; no envelope and no batch.  What
 * the API would only say in each request's result is refused at submit if it can be known.
 * Source: Anthropic's API reference, "Messages" and "Message Batches".
 *
 * Decided here:
 * - max_tokens is 32,000 unless params say otherwise (Claude 3.5: 8,192, Claude 3: 4,096): enough
 *   for a model that thinks, and no more than the model has.  Only tokens that are made are paid
 *   for.
 * - prompt_cache marks the system prompt, the prefix that all requests share.  Without a system
 *   prompt nothing is marked.  One that is shorter than the model caches is passed over by the API.
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/shape/claude.h"
#include "provider/shape/claude_schema.h"
#include "provider/wire.h"

/* The first version of the API without parameters of sampling; versions are dates, so they sort. */
#define VERSION_NO_SAMPLING "2026-10-21"

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
	const char *name = strstr(model, "claude-");	/* Bedrock writes more before it */

	for (int i = 0; name && i < lengthof(small); i++)
		if (strncmp(name, small[i].prefix, strlen(small[i].prefix)) == 0)
			return small[i].tokens;
	return 32000;
}

/* Refusals */

static bool
has_sampling(const BiServer *server)
{
	return strcmp(server->api_version ? server->api_version : BI_CLAUDE_VERSION,
				  VERSION_NO_SAMPLING) < 0;
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
	if (bi_json_equals(bi_json_get(params, "research_preview_2026_02"), "active"))
		return pstrdup("params may not set \"research_preview_2026_02\": the provider does"
					   " not take it in a batch");
	if (!has_sampling(server) && (key = find_key(params, sampling)) != NULL)
		return psprintf("params may not set \"%s\": the provider refuses it since API version %s,"
						" and the server has %s",
						key, VERSION_NO_SAMPLING, server->api_version);
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
		return pstrdup("params must set \"max_tokens\" to more than \"budget_tokens\" of"
					   " \"thinking\"");
	if (output_config && bi_json_type(output_config) != BI_JSON_OBJECT)
		return pstrdup("params may set \"output_config\" only to an object");
	return NULL;
}

static char *
refuse_params(const BiSpec *spec, const BiServer *server)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	char	   *why = bi_body_refuse_params(spec, params);

	if (why || spec->params == NULL || spec->input == BI_INPUT_BODY)
		return why;
	why = refuse_keys(spec, server, params);
	return why ? why : refuse_values(spec, params);
}

char *
bi_claude_refuse_job(const BiSpec *spec, const BiServer *server)
{
	BiJson	   *schema = bi_json_parse_cstring(spec->response_schema);
	char	   *why = NULL;

	if (spec->task == BI_TASK_EMBEDDING)
		return pstrdup("this provider has no embeddings: use a server of another one for the task"
					   " \"embedding\"");
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema && bi_json_type(schema) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	if (spec->response_schema && spec->input != BI_INPUT_BODY)
		why = bi_claude_schema_refuse(schema);
	return why ? why : refuse_params(spec, server);
}

/* Refuses the number-th message, from 1. */
static char *
refuse_message(const BiJson *message, int number)
{
	BiJsonType	content = bi_json_type(bi_json_at(message, "content", NULL));
	char	   *why = bi_body_refuse_role(message, number);

	if (why == NULL && content != BI_JSON_STRING && content != BI_JSON_ARRAY)
		why = psprintf("message %d must have a \"content\" that is a text or an array", number);
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
	if (version && !bi_json_equals(bi_json_at(body, "anthropic_version", NULL), version))
		return psprintf("body must have \"anthropic_version\" and it must be \"%s\"", version);
	if (!version && !bi_json_equals(bi_json_at(body, "model", NULL), spec->model))
		return psprintf("body must have \"model\" and it must be \"%s\": a batch has one model",
						spec->model);
	if (bi_json_int(bi_json_at(body, "max_tokens", NULL), 0) < 1)
		return pstrdup("body must have \"max_tokens\", a whole number from 1");
	if (bi_json_bool(bi_json_at(body, "stream", NULL), false))
		return pstrdup("body may not set \"stream\"");
	return NULL;
}

char *
bi_claude_refuse_input(const BiSpec *spec, const char *input, const char *version)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return bi_body_refuse_messages(bi_json_parse_cstring(input), refuse_message);
	if (spec->input == BI_INPUT_BODY)
		return refuse_body(spec, bi_json_parse_cstring(input), version);
	return NULL;
}

/* Requests */

/* Returns how long the cache is to keep the system prompt; NULL: it is not marked. */
static const char *
cache_ttl(const BiSpec *spec, const BiServer *server)
{
	const char *option = server->prompt_cache;

	if (spec->prompt_cache)
		return spec->prompt_cache;
	return option && strcmp(option, "off") != 0 && strcmp(option, "auto") != 0 ? option : NULL;
}

/* Appends the system prompt, marked for the cache if cache is how long it is to be kept. */
static void
append_system(StringInfo out, const char *system_prompt, const char *cache)
{
	appendStringInfoString(out, ",\"system\":");
	if (cache)
		appendStringInfoString(out, "[{\"type\":\"text\",\"text\":");
	bi_json_append_string(out, system_prompt);
	if (cache)
		appendStringInfo(out, ",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"%s\"}}]",
						 cache);
}

void
bi_claude_append_head(StringInfo out, const BiSpec *spec, const BiServer *server,
					  const char *version)
{
	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, version ? "{\"anthropic_version\":" : "{\"model\":");
	bi_json_append_string(out, version ? version : spec->model);
	if (!bi_json_get(bi_json_parse_cstring(spec->params), "max_tokens"))
		appendStringInfo(out, ",\"max_tokens\":" INT64_FORMAT, default_max_tokens(spec->model));
	if (spec->system_prompt && *spec->system_prompt)
		append_system(out, spec->system_prompt, cache_ttl(spec, server));
	appendStringInfoString(out, ",\"messages\":[");
	if (spec->input == BI_INPUT_TEXT)
		appendStringInfoString(out, "{\"role\":\"user\",\"content\":");
}

/* Appends the job's schema, unless params bring a format of their own. */
static void
append_output_config(StringInfo out, const BiSpec *spec, const BiJson *params)
{
	const BiJson *given = bi_json_get(params, "output_config");
	bool		own = bi_json_get(given, "format") || bi_json_get(params, "output_format");

	if (spec->response_schema && !own)
	{
		appendStringInfoString(out, ",\"output_config\":{\"format\":{\"type\":\"json_schema\","
							   "\"schema\":");
		bi_claude_schema_append(out, bi_json_parse_cstring(spec->response_schema));
		appendStringInfoChar(out, '}');
		bi_wire_append_members(out, given, "format");
		appendStringInfoChar(out, '}');
	}
	else if (given)
	{
		appendStringInfoString(out, ",\"output_config\":");
		bi_json_append(out, given);
	}
}

void
bi_claude_append_tail(StringInfo out, const BiSpec *spec)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);

	if (spec->input == BI_INPUT_BODY)
		return;
	appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]" : "]");
	bi_wire_append_members(out, params, "output_config");
	append_output_config(out, spec, params);
	appendStringInfoChar(out, '}');
}

BiSlot
bi_claude_slot(const BiSpec *spec)
{
	static const BiSlot slots[] = {
		[BI_INPUT_TEXT] = BI_SLOT_TEXT, [BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS,
		[BI_INPUT_BODY] = BI_SLOT_JSON
	};

	return slots[spec->input];
}

void
bi_claude_frame_body(const BiSpec *spec, const BiServer *server, const char *version,
					 BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	bi_claude_append_head(&head, spec, server, version);
	bi_claude_append_tail(&tail, spec);
	bi_frame_make_body(frame, &head, bi_claude_slot(spec), &tail);
}
