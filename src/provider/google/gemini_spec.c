/*
 * provider/google/gemini_spec.c: the lines of a job for Gemini, and what a job may not ask for.
 *
 * Knows a GenerateContentRequest and what of a job can go into it.  A line is {"request":{…}}, in
 * some dialects with a key beside it (source: discovery of aiplatform v1, GenerateContentRequest,
 * 2026-11).
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/google/fingerprint.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_schema.h"
#include "provider/google/gemini_spec.h"
#include "provider/words.h"

/* Returns the first of the names (up to a NULL) that the object has as a member, or NULL. */
static const char *
find_name(const BiJson *object, const char *const *names)
{
	for (; *names; names++)
		if (bi_fingerprint_member(object, *names))
			return *names;
	return NULL;
}

/* Refusals.  Each function returns why something cannot be sent, palloc'd, or NULL. */

/* True if the request asks for several answers: all are paid for, and one is read. */
static bool
has_many_answers(const BiJson *request)
{
	const BiJson *config = bi_fingerprint_member(request, "generationConfig");
	const BiJson *count = bi_fingerprint_member(config, "candidateCount");
	char	   *text = bi_json_cstring(count);

	return count && (text == NULL || strcmp(text, "1") != 0);
}

/* Refuses what a request may not have, whether it is given whole or made of params. */
static char *
refuse_request(const BiJson *request, const char *what)
{
	static const char *const unbatched[] = {"model", "stream", "cachedContent", NULL};
	const char *name = find_name(request, unbatched);

	if (name)
		return psprintf("%s may not set \"%s\": the provider does not take it in a batch", what,
						name);
	if (has_many_answers(request))
		return psprintf("%s may not set \"candidateCount\" to anything but 1", what);
	return NULL;
}

/* Refuses members that stand one level deeper than other providers have them.  Otherwise each
 * record would fail. */
static char *
refuse_places(const BiJson *params)
{
	static const char *const inner[] = {
		"temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed",
		"thinkingConfig", "presencePenalty", "frequencyPenalty", "responseMimeType",
		"responseSchema", "responseJsonSchema", "candidateCount", NULL
	};
	const char *name = find_name(params, inner);

	return name ? psprintf("params must have \"%s\" inside \"generationConfig\"", name) : NULL;
}

/* Refuses labels of the caller's that cannot stand beside ours. */
static char *
refuse_labels(const BiGeminiDialect *dialect, const BiJson *labels)
{
	if (labels == NULL)
		return NULL;
	if (!dialect->labels)
		return pstrdup("params may not set \"labels\": this provider has none");
	if (bi_json_type(labels) != BI_JSON_OBJECT)
		return pstrdup("params may set \"labels\" only to an object");
	if (bi_json_get(labels, BI_GEMINI_LABEL))
		return pstrdup("params may not set the label \"" BI_GEMINI_LABEL
					   "\", which is the request's id");
	return NULL;
}

/* Refuses params that this job cannot have. */
static char *
refuse_params(const BiGeminiDialect *dialect, const BiSpec *spec)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	const BiJson *config = bi_fingerprint_member(params, "generationConfig");
	char	   *why;

	why = bi_body_refuse_params(spec, params);
	if (why || spec->params == NULL || spec->input == BI_INPUT_BODY)
		return why;
	if (bi_fingerprint_member(params, "contents"))
		return pstrdup("params may not set \"contents\"");
	if (spec->system_prompt && bi_fingerprint_member(params, "systemInstruction"))
		return pstrdup("params may not set \"systemInstruction\" where system_prompt is given");
	if (config && bi_json_type(config) != BI_JSON_OBJECT)
		return pstrdup("params may set \"generationConfig\" only to an object");
	why = refuse_request(params, "params");
	if (why == NULL)
		why = refuse_places(params);
	return why ? why : refuse_labels(dialect, bi_fingerprint_member(params, "labels"));
}

char *
bi_gemini_spec_refuse_job(const BiGeminiDialect *dialect, const BiSpec *spec)
{
	if (spec->task == BI_TASK_EMBEDDING)
		return bi_gemini_embedding_refuse_job(spec);
	if (spec->input == BI_INPUT_BODY && spec->system_prompt)
		return pstrdup("system_prompt cannot be used where the query returns whole bodies");
	if (spec->response_schema &&
		bi_json_type(bi_json_parse_cstring(spec->response_schema)) != BI_JSON_OBJECT)
		return pstrdup("response_schema must be a JSON object");
	return refuse_params(dialect, spec);
}

/* Refuses the number-th content, from 1. */
static char *
refuse_content(const BiJson *content, int number)
{
	static const char *const roles[] = {"user", "model", "function", NULL};
	const char *role = bi_json_string(bi_json_at(content, "role", NULL), NULL);
	const BiJson *parts = bi_json_at(content, "parts", NULL);

	if (!bi_words_list(roles, role))
		return psprintf("message %d must have the role \"user\" or \"model\"", number);
	if (bi_json_type(parts) != BI_JSON_ARRAY || bi_json_length(parts) == 0)
		return psprintf("message %d must have \"parts\", an array such as [{\"text\": \"…\"}]",
						number);
	return NULL;
}

/* Refuses a list of contents; what names it in the reason. */
static char *
refuse_contents(const BiJson *contents, const char *what)
{
	char	   *why = NULL;

	if (bi_json_type(contents) != BI_JSON_ARRAY || bi_json_length(contents) == 0)
		return psprintf("%s must be a JSON array that is not empty", what);
	for (int i = 0; !why && i < bi_json_length(contents); i++)
		why = refuse_content(bi_json_item(contents, i), i + 1);
	return why;
}

/* Refuses an input that is a body. */
static char *
refuse_body(const BiJson *body)
{
	char	   *why;

	if (bi_json_type(body) != BI_JSON_OBJECT)
		return pstrdup("body must be a JSON object");
	if (bi_fingerprint_member(body, "labels"))
		return pstrdup("body may not set \"labels\": the request's id goes there");
	why = bi_body_refuse_without(body, "contents");
	if (why == NULL)
		why = refuse_request(body, "body");
	return why ? why : refuse_contents(bi_json_at(body, "contents", NULL), "\"contents\" of body");
}

char *
bi_gemini_spec_refuse_input(const BiSpec *spec, const char *input)
{
	if (spec->task == BI_TASK_EMBEDDING)
		return bi_gemini_embedding_refuse_input(spec, input);
	if (spec->input == BI_INPUT_MESSAGES)
		return refuse_contents(bi_json_parse_cstring(input), "messages");
	return spec->input == BI_INPUT_BODY ? refuse_body(bi_json_parse_cstring(input)) : NULL;
}

/* Lines */

/* Appends the object's members, each with a comma before it, except those named (up to a NULL). */
static void
append_members(StringInfo out, const BiJson *object, const char *const *except)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
	{
		bool		skip = bi_json_type(value) == BI_JSON_NULL;

		for (int i = 0; !skip && except[i]; i++)
			skip = bi_fingerprint_same_name(key, except[i]);
		if (skip)
			continue;
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_gemini_schema_append_member(out, key, value);
	}
}

/*
 * Appends generationConfig, with the job's schema unless params have a format of their own.  The
 * schema is sent whole, as responseJsonSchema, which takes JSON Schema as it is; responseSchema
 * does not.  What Gemini cannot assert of it, it passes over; answers are checked here all the
 * same.
 */
static void
append_config(StringInfo out, const BiSpec *spec, const BiJson *config)
{
	static const char *const formats[] = {
		"responseSchema", "responseJsonSchema", "responseMimeType", NULL
	};
	static const char *const none[] = {NULL};
	bool		schema = spec->response_schema && !find_name(config, formats);
	StringInfoData members;

	if (!schema && config == NULL)
		return;
	initStringInfo(&members);
	if (schema)
	{
		appendStringInfoString(&members, ",\"responseMimeType\":\"application/json\","
							   "\"responseJsonSchema\":");
		bi_gemini_schema_append(&members, bi_json_parse_cstring(spec->response_schema));
	}
	append_members(&members, config, none);
	appendStringInfo(out, ",\"generationConfig\":{%s}",
					 members.len > 0 ? members.data + 1 : "");
}

/* Appends what stands between the id and the input. */
static void
append_head(StringInfo out, const BiSpec *spec)
{
	if (spec->input == BI_INPUT_BODY)
		return;
	if (spec->system_prompt && *spec->system_prompt)
	{
		appendStringInfoString(out, "\"systemInstruction\":{\"parts\":[{\"text\":");
		bi_json_append_string(out, spec->system_prompt);
		appendStringInfoString(out, "}]},");
	}
	appendStringInfoString(out, "\"contents\":[");
	if (spec->input == BI_INPUT_TEXT)
		appendStringInfoString(out, "{\"role\":\"user\",\"parts\":[{\"text\":");
}

/* Appends what stands behind the input.  labelled: the labels stand before it already. */
static void
append_tail(StringInfo out, const BiSpec *spec, const BiJson *params, bool labelled)
{
	static const char *const elsewhere[] = {"generationConfig", "labels", NULL};
	const BiJson *labels = bi_fingerprint_member(params, "labels");

	if (spec->input != BI_INPUT_BODY)
	{
		appendStringInfoString(out, spec->input == BI_INPUT_TEXT ? "}]}]" : "]");
		append_config(out, spec, bi_fingerprint_member(params, "generationConfig"));
		append_members(out, params, elsewhere);
		if (labels && !labelled)
		{
			appendStringInfoString(out, ",\"labels\":");
			bi_json_append(out, labels);
		}
	}
	appendStringInfoChar(out, '}');
}

/* Adds a part to the frame: the text so far, which is then empty, and that slot. */
static void
add_part(BiFrame *frame, StringInfo text, BiSlot slot)
{
	frame->part[frame->nparts++] = (BiFramePart) {pstrdup(text->data), slot};
	resetStringInfo(text);
}

/* Adds the labels to the frame: the id, then those of params. */
static void
add_labels(BiFrame *frame, StringInfo text, const BiJson *labels)
{
	static const char *const none[] = {NULL};

	appendStringInfoString(text, "\"labels\":{\"" BI_GEMINI_LABEL "\":\"");
	add_part(frame, text, BI_SLOT_ID);
	appendStringInfoChar(text, '"');
	append_members(text, labels, none);
	appendStringInfoString(text, "},");
}

/* A body is written without its braces, because a label may stand before it. */
static const BiSlot slots[] = {
	[BI_INPUT_TEXT] = BI_SLOT_TEXT,
	[BI_INPUT_MESSAGES] = BI_SLOT_ELEMENTS,
	[BI_INPUT_BODY] = BI_SLOT_ELEMENTS
};

void
bi_gemini_spec_frame(const BiGeminiDialect *dialect, const BiSpec *spec, const BiServer *server,
					 BiFrame *frame)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	bool		off = server->request_labels && strcmp(server->request_labels, "off") == 0;
	bool		labelled = dialect->labels && !off;
	StringInfoData text;

	if (spec->task == BI_TASK_EMBEDDING)
	{
		bi_gemini_embedding_frame(dialect->embedding_config, spec, frame);
		return;
	}
	initStringInfo(&text);
	frame->nparts = 0;
	frame->separator = NULL;
	appendStringInfoChar(&text, '{');
	if (dialect->keys)
	{
		appendStringInfoString(&text, "\"key\":\"");
		add_part(frame, &text, BI_SLOT_ID);
		appendStringInfoString(&text, "\",");
	}
	appendStringInfoString(&text, "\"request\":{");
	if (labelled)
		add_labels(frame, &text, bi_fingerprint_member(params, "labels"));
	append_head(&text, spec);
	add_part(frame, &text, slots[spec->input]);
	append_tail(&text, spec, params, labelled);
	appendStringInfoChar(&text, '}');
	add_part(frame, &text, BI_SLOT_NONE);
}

void
bi_gemini_spec_frame_body(const BiGeminiDialect *dialect, const BiSpec *spec, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	if (spec->task == BI_TASK_EMBEDDING)
	{
		bi_gemini_embedding_append(dialect->embedding_config, spec, &head, &tail);
		bi_frame_make_body(frame, &head, bi_gemini_embedding_slot(spec), &tail);
		return;
	}
	appendStringInfoChar(&head, '{');
	append_head(&head, spec);
	append_tail(&tail, spec, bi_json_parse_cstring(spec->params), false);
	bi_frame_make_body(frame, &head, slots[spec->input], &tail);
}
