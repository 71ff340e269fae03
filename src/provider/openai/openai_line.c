/*
 * provider/openai/openai_line.c: what a line of a results file means, or the reply to one record.
 *
 * Knows the lines of OpenAI's output and error files and of its relatives' (vLLM has one file and
 * words its errors differently), and embeddings; chat completions are in shape/chat.c, responses
 * in openai_response.c.  A line may hold anything: what is not understood becomes an outcome,
 * never an error.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/openai/openai_endpoint.h"
#include "provider/openai/openai_line.h"
#include "provider/openai/openai_reply.h"
#include "provider/openai/openai_response.h"
#include "provider/shape/chat.h"
#include "provider/verdict.h"
#include "provider/wire.h"

/* Returns the member of the body that the task asks for; NULL if it is missing. */
static const BiJson *
expected(const BiCall *call, const BiJson *body)
{
	const BiSpec *spec = &call->job->spec;

	if (spec->task == BI_TASK_EMBEDDING)
		return bi_json_at(body, "data", NULL);
	return bi_json_at(body, bi_openai_endpoint_is_responses(spec) ? "output" : "choices", NULL);
}

/* Reads the body of a good answer. */
static void
read_body(const BiCall *call, const BiJson *body, BiAnswer *answer)
{
	const BiJson *first = bi_json_item(bi_json_at(body, "data", NULL), 0);

	if (bi_openai_endpoint_is_responses(&call->job->spec))
	{
		answer->model = bi_wire_json_words(bi_json_at(body, "model", NULL), BI_WIRE_CODE);
		bi_openai_response_read(body, answer);
		return;
	}
	if (call->job->spec.task == BI_TASK_CHAT)
	{
		bi_chat_read(body, answer);
		return;
	}
	bi_chat_read_counts(body, answer);
	bi_answer_judge_embedding(answer, bi_json_at(first, "embedding", NULL));
}

/* Sets the provider's words for what went wrong, of an object or a text; each may be NULL. */
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

/* Reads a line whose request reached the model and failed with that status. */
static void
read_failure(int64 status, const BiJson *error, BiAnswer *answer)
{
	char	   *code;
	char	   *message;
	bool		retryable = status == 429 || status == 408 || status == 409 || status >= 500 ||
		status <= 0;

	read_words(error, &code, &message);
	if (status >= 200 && status <= 299)
		retryable = bi_openai_reply_is_transient(code, NULL);
	if (code == NULL)
		code = psprintf("http_" INT64_FORMAT, Max(status, 0));
	if (message == NULL)
		message = psprintf("status " INT64_FORMAT " and no words", Max(status, 0));
	/* Azure's filter of prompts answers with an error, its filter of answers with a reason. */
	if (strcmp(code, "content_filter") == 0)
		bi_answer_fail(answer, BI_OUTCOME_INVALID_OUTPUT, false, code, message);
	else
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, retryable, code, message);
}

/* Reads what came with a good status: an answer, or an error in the place of one.  False if it is
 * neither. */
static bool
read_good(const BiCall *call, const BiJson *body, BiAnswer *answer)
{
	const BiJson *error = bi_json_at(body, "error", NULL);

	if (expected(call, body))
		read_body(call, body, answer);
	else if (error)
		read_failure(200, error, answer);
	else
		return false;
	return true;
}

BiVerdict
bi_openai_line_read_reply(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *body = bi_answer_open(call, ex, &verdict, line);

	if (body && !read_good(call, body, &line->answer))
		return bi_verdict_unexpected(ex, "an answer");
	return verdict;
}

/* Reads a line whose request did not reach the model. */
static void
read_unanswered(const BiJson *error, BiAnswer *answer)
{
	char	   *code;
	char	   *message;
	bool		has_words;

	read_words(error, &code, &message);
	has_words = message != NULL;
	if (!has_words)
		message = pstrdup("the request was not answered");
	if (code == NULL)
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, !has_words, "no_response", message);
	else if (strcmp(code, "batch_expired") == 0)
		bi_answer_fail(answer, BI_OUTCOME_EXPIRED, true, code, message);
	else if (strcmp(code, "batch_cancelled") == 0 || strcmp(code, "batch_canceled") == 0)
		bi_answer_fail(answer, BI_OUTCOME_CANCELLED, false, code, message);
	else
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, bi_openai_reply_is_transient(code, NULL), code,
					   message);
}

/* Returns the status of a response; without one, a good body counts as 200. */
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
	if (status >= 200 && status <= 299 &&
		(expected(call, body) || !(error || bi_json_at(body, "error", NULL))))
		read_body(call, body, answer);
	else
		read_failure(status, bi_json_at(body, "error", NULL) ? bi_json_at(body, "error", NULL)
					 : error, answer);
}

void
bi_openai_line_read(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiAnswer   *answer = &line->answer;
	BiJson	   *json = bi_answer_read(call, text, len, "custom_id", line);
	const BiJson *response = bi_json_at(json, "response", NULL);
	const BiJson *error = bi_json_at(json, "error", NULL);

	if (json == NULL)
		return;
	if (bi_json_type(response) == BI_JSON_OBJECT)
		read_response(call, response, error, answer);
	else
		read_unanswered(error, answer);
}
