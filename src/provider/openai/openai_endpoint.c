/*
 * provider/openai/openai_endpoint.c: which endpoint the requests of a job go to, and what only the
 * others take.
 *
 * Knows the names of chat completions, responses and embeddings, and by which members a body of
 * one differs from a body of another.  No requests, no replies.
 *
 * Decided here: a job's lines are written at any later time, so the endpoint is chosen at submit,
 * by the first body or by the server's option, and the job keeps the word "responses".  A batch is
 * not compared by its endpoint when it is looked for: intent and file are of one job, so of one
 * endpoint, and a server that words the endpoint differently must not make our batch "not there".
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/body.h"
#include "provider/openai/openai_endpoint.h"

#define RESPONSES "responses"

/* A member that an endpoint does not take. */
typedef struct Stray
{
	const char *member;
	const char *instead;		/* what the endpoint takes in its place, in words */
} Stray;

/* What the responses API refuses, and what it has instead. */
static const Stray not_of_responses[] = {
	{"messages", "\"input\""},
	{"system", "\"instructions\""},
	{"max_tokens", "\"max_output_tokens\""},
	{"max_completion_tokens", "\"max_output_tokens\""},
	{"response_format", "\"format\" in \"text\""},
	{"reasoning_effort", "\"effort\" in \"reasoning\""},
	{NULL, NULL}
};

/* The same for chat completions. */
static const Stray not_of_chat[] = {
	{"system", "a message with the role \"system\""},
	{"instructions", "a message with the role \"system\""},
	{"max_output_tokens", "\"max_completion_tokens\" or \"max_tokens\""},
	{NULL, NULL}
};

bool
bi_openai_endpoint_is_responses(const BiSpec *spec)
{
	return spec->endpoint && strcmp(spec->endpoint, RESPONSES) == 0;
}

const char *
bi_openai_endpoint_path(const BiSpec *spec)
{
	if (spec->task == BI_TASK_EMBEDDING)
		return "/v1/embeddings";
	return bi_openai_endpoint_is_responses(spec) ? "/v1/responses" : BI_OPENAI_CHAT;
}

/* Returns which endpoint this body is for, as option "endpoint" has it; NULL if it does not
 * show. */
static const char *
word_of_body(const BiJson *body)
{
	if (bi_json_get(body, "messages"))
		return "chat";
	return bi_json_get(body, "input") ? RESPONSES : NULL;
}

const char *
bi_openai_endpoint_choose(const BiSpec *spec, const BiServer *server, const char *body)
{
	const char *word = word_of_body(bi_json_parse_cstring(body));

	if (spec->task == BI_TASK_EMBEDDING)
		return NULL;
	if (word == NULL)
		word = server->endpoint;
	return word && strcmp(word, RESPONSES) == 0 ? RESPONSES : NULL;
}

char *
bi_openai_endpoint_refuse_members(const BiSpec *spec, const BiJson *json, const char *what)
{
	const Stray *stray = bi_openai_endpoint_is_responses(spec) ? not_of_responses : not_of_chat;

	if (spec->task == BI_TASK_EMBEDDING)
		return NULL;
	for (; stray->member; stray++)
		if (bi_json_at(json, stray->member, NULL))
			return psprintf("%s may not set \"%s\": %s takes %s", what, stray->member,
							bi_openai_endpoint_path(spec), stray->instead);
	return NULL;
}

char *
bi_openai_endpoint_refuse_body(const BiSpec *spec, const BiJson *body)
{
	const char *word = word_of_body(body);

	if (spec->task == BI_TASK_EMBEDDING)
		return bi_body_refuse_without(body, "input");
	if (word && (strcmp(word, RESPONSES) == 0) != bi_openai_endpoint_is_responses(spec))
		return psprintf("body is one of %s, and the bodies before it are of %s:"
						" a job has one endpoint",
						strcmp(word, RESPONSES) == 0 ? "/v1/responses" : BI_OPENAI_CHAT,
						bi_openai_endpoint_path(spec));
	if (word == NULL && !bi_openai_endpoint_is_responses(spec))
		return psprintf("body must have \"messages\", for %s, or \"input\", for /v1/responses%s",
						BI_OPENAI_CHAT, bi_body_whose(body));
	return bi_openai_endpoint_refuse_members(spec, body, "body");
}
