/*
 * provider/openai_line.c: what a line of a results file means.
 *
 * Knows the lines of OpenAI's output and error files and of its relatives' (vLLM has one
 * file and words its errors otherwise), the answers of chat completions and of
 * embeddings; those of responses stand in openai_response.c.  A line may hold anything: whatever is not understood becomes an outcome,
 * never an error.  Called through the routine table, once a line.
 */
#include "postgres.h"

#include "provider/line.h"
#include "provider/openai.h"
#include "provider/wire.h"

int64
bi_openai_line_count(const BiJson *json)
{
	return Max(bi_json_int(json, -1), -1);
}

static void
read_usage(BiAnswer *answer, const BiJson *usage)
{
	answer->input_tokens = bi_openai_line_count(bi_json_at(usage, "prompt_tokens", NULL));
	answer->cached_tokens =
		bi_openai_line_count(bi_json_at(usage, "prompt_tokens_details", "cached_tokens", NULL));
	answer->output_tokens = bi_openai_line_count(bi_json_at(usage, "completion_tokens", NULL));
}

bool
bi_openai_line_join(const BiJson *parts, StringInfo out, const BiJson **refusal)
{
	bool		any = false;

	for (int i = 0; i < bi_json_length(parts); i++)
	{
		const BiJson *part = bi_json_item(parts, i);
		size_t		len;
		const char *text = bi_json_string(bi_json_at(part, "text", NULL), &len);

		if (bi_json_at(part, "refusal", NULL))
			*refusal = bi_json_at(part, "refusal", NULL);
		if (text == NULL)
			continue;
		appendBinaryStringInfo(out, text, (int) len);
		any = true;
	}
	return any;
}

/* The message's text into the answer; *refusal as it is told beside or in it. */
static void
read_content(BiAnswer *answer, const BiJson *message, const BiJson **refusal)
{
	const BiJson *content = bi_json_at(message, "content", NULL);
	size_t		len;
	const char *text = bi_json_string(content, &len);
	StringInfoData joined;

	*refusal = bi_json_at(message, "refusal", NULL);
	initStringInfo(&joined);
	if (text)
		appendBinaryStringInfo(&joined, text, (int) len);
	else if (bi_json_type(content) != BI_JSON_ARRAY || !bi_openai_line_join(content, &joined, refusal))
		return;
	bi_line_set_text(answer, joined.data, joined.len);
}

/* A model that calls tools answers with the calls and no text, or with a blank one: then the
 * calls are the output. */
static void
read_tool_calls(BiAnswer *answer, const BiJson *message)
{
	const BiJson *calls = bi_json_at(message, "tool_calls", NULL);

	if (bi_json_type(calls) == BI_JSON_ARRAY && bi_json_length(calls) > 0 && bi_line_is_blank(answer))
		bi_line_set_json(answer, calls);
}

/* Mistral's models at Bedrock have another name for why the model stopped.  At other servers
 * stop_reason may be the text that stopped it: it counts only where there is no finish_reason. */
static char *
finish_reason_of(const BiJson *choice)
{
	char	   *reason = bi_wire_json_words(bi_json_at(choice, "finish_reason", NULL), BI_WIRE_CODE);
	const BiJson *other = bi_json_at(choice, "stop_reason", NULL);

	if (reason == NULL && bi_json_type(other) == BI_JSON_STRING)
		reason = bi_wire_json_words(other, BI_WIRE_CODE);
	return reason;
}

static void
read_chat(BiAnswer *answer, const BiJson *body)
{
	/* OpenAI's words, and those of servers that speak its API */
	static const char *const good[] = {
		"stop", "tool_calls", "function_call", "eos", "eos_token", "stop_sequence", "end_turn", "tool_use", "complete", NULL
	};
	const BiJson *choice = bi_json_item(bi_json_at(body, "choices", NULL), 0);
	const BiJson *message = bi_json_at(choice, "message", NULL);
	const BiJson *refusal;
	char	   *refused;

	answer->finish_reason = finish_reason_of(choice);
	read_content(answer, message, &refusal);
	read_tool_calls(answer, message);
	refused = bi_json_type(refusal) == BI_JSON_STRING ? bi_wire_json_words(refusal, BI_WIRE_MESSAGE) : NULL;
	if (refused)
		bi_line_fail(answer, BI_INVALID_OUTPUT, false, "refusal", refused);
	else
		bi_line_judge(answer, good);
}

/* Has the body what the task asks for? */
static const BiJson *
expected(const BiCall *call, const BiJson *body)
{
	const BiSpec *spec = &call->job->spec;

	if (spec->task == BI_TASK_EMBEDDING)
		return bi_json_at(body, "data", NULL);
	return bi_json_at(body, bi_openai_endpoint_is_responses(spec) ? "output" : "choices", NULL);
}

void
bi_openai_line_body(const BiCall *call, const BiJson *body, BiAnswer *answer)
{
	answer->model = bi_wire_json_words(bi_json_at(body, "model", NULL), BI_WIRE_CODE);
	if (bi_openai_endpoint_is_responses(&call->job->spec))
	{
		bi_openai_response_body(body, answer);
		return;
	}
	read_usage(answer, bi_json_at(body, "usage", NULL));
	if (call->job->spec.task == BI_TASK_EMBEDDING)
		bi_line_judge_embedding(answer, bi_json_at(bi_json_item(bi_json_at(body, "data", NULL), 0), "embedding", NULL));
	else
		read_chat(answer, body);
}

/* The provider's words for what went wrong: an object with code and message, or a text. */
static void
read_words(const BiJson *error, char **code, char **message)
{
	*code = bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	if (*code == NULL)
		*code = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	*message = bi_wire_json_words(bi_json_at(error, "message", NULL), BI_WIRE_MESSAGE);
	if (*message == NULL)
		*message = bi_wire_json_words(error, BI_WIRE_MESSAGE);
}

/* The model was asked and answered with an error status. */
static void
read_failure(int64 status, const BiJson *error, BiAnswer *answer)
{
	char	   *code;
	char	   *message;
	bool		retryable = status == 429 || status == 408 || status == 409 || status >= 500 || status <= 0;

	read_words(error, &code, &message);
	if (status >= 200 && status <= 299)
		retryable = bi_openai_reply_is_transient(code, NULL);
	if (code == NULL)
		code = psprintf("http_" INT64_FORMAT, Max(status, 0));
	if (message == NULL)
		message = psprintf("status " INT64_FORMAT " and no words", Max(status, 0));
	/* Azure's filter of prompts answers with an error, its filter of answers with a reason */
	if (strcmp(code, "content_filter") == 0)
		bi_line_fail(answer, BI_INVALID_OUTPUT, false, code, message);
	else
		bi_line_fail(answer, BI_ERRORED, retryable, code, message);
}

/* The model was not asked. */
static void
read_unanswered(const BiJson *error, BiAnswer *answer)
{
	char	   *code;
	char	   *message;
	bool		told;

	read_words(error, &code, &message);
	told = message != NULL;
	if (!told)
		message = pstrdup("the request was not answered");
	if (code == NULL)
		bi_line_fail(answer, BI_ERRORED, !told, "no_response", message);
	else if (strcmp(code, "batch_expired") == 0)
		bi_line_fail(answer, BI_EXPIRED, true, code, message);
	else if (strcmp(code, "batch_cancelled") == 0 || strcmp(code, "batch_canceled") == 0)
		bi_line_fail(answer, BI_CANCELLED_RECORD, false, code, message);
	else
		bi_line_fail(answer, BI_ERRORED, bi_openai_reply_is_transient(code, NULL), code, message);
}

/* The status of a response; where none is told a good body speaks for itself. */
static int64
status_of(const BiCall *call, const BiJson *response, const BiJson *body)
{
	return bi_json_int(bi_json_at(response, "status_code", NULL), expected(call, body) ? 200 : 0);
}

static void
read_response(const BiCall *call, const BiJson *response, const BiJson *error, BiAnswer *answer)
{
	const BiJson *body = bi_json_at(response, "body", NULL);
	int64		status;

	if (body == NULL && expected(call, response))
		body = response;		/* without an envelope */
	status = status_of(call, response, body);
	answer->request_id = bi_wire_json_words(bi_json_at(response, "request_id", NULL), BI_WIRE_CODE);
	if (status >= 200 && status <= 299 && (expected(call, body) || !(error || bi_json_at(body, "error", NULL))))
		bi_openai_line_body(call, body, answer);
	else
		read_failure(status, bi_json_at(body, "error", NULL) ? bi_json_at(body, "error", NULL) : error, answer);
}

void
bi_openai_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiJson	   *json = bi_line_read(call, line, len, "custom_id", answer);
	const BiJson *response = bi_json_at(json, "response", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	if (json == NULL)
		return;
	if (bi_json_type(response) == BI_JSON_OBJECT)
		read_response(call, response, error, answer);
	else
		read_unanswered(error, answer);
}
