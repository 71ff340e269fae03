/*
 * provider/body.c: what is wrong with bodies, messages and params, whichever API they are for.
 *
 * Knows the member by which a request of each API shows itself, so that a refusal can say for
 * which API a body was made.  Knows no provider.
 */
#include "postgres.h"

#include "provider/body.h"
#include "provider/wire.h"

/* The first member that a body has decides. */
static const struct
{
	const char *member;
	const char *whose;
}			signs[] =
{
	{"custom_id",
	 ": this one is a whole line of a batch file, return what is in its \"body\" or \"params\""},
	{"modelInput",
	 ": this one is a whole line of a batch file, return what is in its \"modelInput\""},
	{"request", ": this one is a whole line of a batch file, return what is in its \"request\""},
	{"contents", ": this one is a request of Gemini's generateContent"},
	{"content", ": this one is a request of Gemini's embedContent"},
	{"inputText", ": this one is a request of Amazon Titan's"},
	{"singleEmbeddingParams", ": this one is a request of Amazon Nova's embeddings"},
	{"texts", ": this one is a request of Cohere's embeddings"},
	{"messages", ": this one is a request for a chat"},
	{"input", ": this one is a request of OpenAI's embeddings or responses"},
	{"prompt", ": this one is a request for completions, which are older than chats"},
};

const char *
bi_body_whose(const BiJson *body)
{
	for (int i = 0; i < lengthof(signs); i++)
		if (bi_json_get(body, signs[i].member))
			return signs[i].whose;
	return "";
}

char *
bi_body_refuse_without(const BiJson *body, const char *member)
{
	if (bi_json_at(body, member, NULL))
		return NULL;
	return psprintf("body must have \"%s\"%s", member, bi_body_whose(body));
}

char *
bi_body_refuse_params(const BiSpec *spec, const BiJson *params)
{
	if (spec->params == NULL)
		return NULL;
	if (bi_json_type(params) != BI_JSON_OBJECT)
		return pstrdup("params must be a JSON object");
	if (spec->input == BI_INPUT_BODY && bi_json_length(params) > 0)
		return pstrdup("params cannot be used where the query returns whole bodies");
	return NULL;
}

char *
bi_body_refuse_messages(const BiJson *messages,
						char *(*refuse) (const BiJson *message, int number))
{
	char	   *why = NULL;

	if (bi_json_type(messages) != BI_JSON_ARRAY || bi_json_length(messages) == 0)
		return pstrdup("messages must be a JSON array that is not empty");
	for (int i = 0; why == NULL && i < bi_json_length(messages); i++)
		why = refuse(bi_json_item(messages, i), i + 1);
	return why;
}

char *
bi_body_refuse_role(const BiJson *message, int number)
{
	const BiJson *role = bi_json_at(message, "role", NULL);

	if (bi_json_string(role, NULL) == NULL)
		return psprintf("message %d must be an object with a \"role\"", number);
	if (bi_json_equals(role, "system"))
		return psprintf("message %d has the role \"system\": this provider takes the system prompt"
						" apart, use the argument system_prompt", number);
	if (!bi_json_equals(role, "user") && !bi_json_equals(role, "assistant"))
		return psprintf("message %d must have the role \"user\" or \"assistant\"", number);
	return NULL;
}

void
bi_body_set_model(StringInfo body, const char *model)
{
	BiJson	   *json = bi_json_parse(body->data, body->len);

	if (bi_json_type(json) != BI_JSON_OBJECT ||
		bi_json_equals(bi_json_get(json, "model"), model))
		return;
	resetStringInfo(body);
	appendStringInfoString(body, "{\"model\":");
	bi_json_append_string(body, model);
	bi_wire_append_members(body, json, "model");
	appendStringInfoChar(body, '}');
}
