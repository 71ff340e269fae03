/*
 * intake/weigh.c: how many tokens a request of a job has, estimated before it is sent.
 *
 * The tokens of a request are those of its input, which differs by record, and of what the job adds
 * to each of them: the system prompt, the schema of the answer, tools, and what a provider puts
 * around a message.  The second part is measured once for a job.
 *
 * Of input that is JSON only the strings count, names of members included: "role", "user" and
 * "content" are about what a provider puts around a message.  Of a schema what is between the
 * strings counts, too.
 *
 * What was measured of answers corrects the estimate: store/forecast.c.
 */
#include "postgres.h"

#include "base/json.h"
#include "intake/weigh.h"

/* Tokens that OpenAI puts around each message, and before the first one. */
#define MESSAGE_TOKENS 4
#define START_TOKENS 3

/* Returns the tokens of a schema, of an answer or of tools; 0 for NULL. */
static int64
schema_tokens(const char *json, BiMeasure measure)
{
	return json ? bi_measure_strings(json, strlen(json), ',', measure) : 0;
}

BiWeigh
bi_weigh_of(const BiSpec *spec)
{
	BiWeigh		weigh = {bi_measure_of_model(spec->model), spec->input, 0};
	char	   *tools;

	if (spec->task == BI_TASK_EMBEDDING)
		return weigh;
	if (spec->input == BI_INPUT_BODY)
		return weigh;
	weigh.constant = START_TOKENS;
	if (spec->input == BI_INPUT_TEXT)
		weigh.constant += MESSAGE_TOKENS;
	if (spec->system_prompt)
		weigh.constant += MESSAGE_TOKENS +
			bi_measure_tokens(spec->system_prompt, strlen(spec->system_prompt), weigh.measure);
	tools = bi_json_text(bi_json_get(bi_json_parse_cstring(spec->params), "tools"));
	weigh.constant += schema_tokens(spec->response_schema, weigh.measure) +
		schema_tokens(tools, weigh.measure);
	return weigh;
}

int64
bi_weigh_tokens(const BiWeigh *weigh, const char *input)
{
	size_t		len = strlen(input);
	int64		tokens = weigh->input == BI_INPUT_TEXT
		? bi_measure_tokens(input, len, weigh->measure)
		: bi_measure_strings(input, len, ' ', weigh->measure);

	return weigh->constant + Max(tokens, 1);
}
