/*
 * test/fuzz/target_request.c: a provider judges a job and its inputs, and writes requests.
 *
 * Input: a line "PROVIDER SHAPE MODEL", a line each with the system prompt, params and
 * response_schema (an empty one is none), and the input.
 *
 * What a provider does not refuse becomes one line of JSON, of the size foretold.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/schema.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "provider/registry.h"

#define CUSTOM_ID "01234567-42"

static char *
optional(char *text)
{
	return *text ? text : NULL;
}

/* As submit would hand it on: jsonb's text. */
static char *
json_line(FuzzInput *input)
{
	char	   *line = fuzz_line(input);

	return bi_json_text(bi_json_parse(line, strlen(line)));
}

/* One line of JSON for the input; where it is one of many in an array, without a line's end. */
static void
check_frame(const BiProvider *provider, const BiCall *call, const char *input)
{
	BiFrame		frame = {0};
	StringInfoData out;
	int			end;

	provider->job->frame(&call->job->spec, call->server, &frame);
	FUZZ_CHECK(frame.nparts > 0 && frame.nparts <= BI_FRAME_PARTS);
	end = frame.separator ? 0 : 1;
	initStringInfo(&out);
	bi_frame_append(&out, &frame, CUSTOM_ID, input);
	FUZZ_CHECK(bi_frame_size(&frame, strlen(CUSTOM_ID), input) ==
			   out.len + (frame.separator ? strlen(frame.separator) : 0));
	FUZZ_CHECK(strcspn(out.data, "\r\n") == out.len - end);
	FUZZ_CHECK(bi_json_parse(out.data, out.len - end) != NULL);
}

/* Signed, or with the key. */
static void
check_request(const BiProvider *provider, const BiCall *call, const char *secret, BiExchange *ex)
{
	provider->login->authorize(call, secret, ex);
	FUZZ_CHECK(ex->method && ex->url && ex->headers);
	for (const char *c = ex->url; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~');
}

static void
check_requests(const BiProvider *provider, const BiCall *call)
{
	char	   *secret = fuzz_secret(provider, call);
	BiExchange *ex;

	provider->batch->create(call, ex = fuzz_exchange());
	check_request(provider, call, secret, ex);
	provider->batch->find(call, "next page/+=&?", ex = fuzz_exchange());
	check_request(provider, call, secret, ex);
	provider->check->request(call, ex = fuzz_exchange());
	check_request(provider, call, secret, ex);
	if (provider->batch->outputs)
	{
		provider->batch->outputs(call, ex = fuzz_exchange());
		check_request(provider, call, secret, ex);
	}
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	const BiProvider *provider = fuzz_provider(fuzz_word(&line));
	BiCall	   *call = fuzz_call(provider, &line);
	BiSpec	   *spec = unconstify(BiSpec *, &call->job->spec);
	BiLimits	limits;
	char	   *why;
	char	   *text;

	/* texts come from the server, so they are valid */
	if (pg_encoding_verifymbstr(PG_UTF8, data, (int) len) != (int) len)
		return;
	spec->system_prompt = optional(fuzz_line(&input));
	spec->params = json_line(&input);
	spec->response_schema = json_line(&input);
	text = fuzz_rest(&input);

	if (spec->response_schema && bi_schema_read(spec->response_schema, &why) == NULL)
		return;
	if (provider->job->refuse_job(spec, call->server))
		return;
	limits = bi_registry_limits(provider, call->server, spec->model);
	FUZZ_CHECK(limits.max_requests >= limits.min_requests && limits.min_requests > 0 &&
			   limits.max_bytes > 0);
	/* messages and body are jsonb's text */
	if (spec->input != BI_INPUT_TEXT)
		text = bi_json_text(bi_json_parse(text, strlen(text)));
	if (text == NULL || (spec->input != BI_INPUT_TEXT && provider->job->refuse_input(spec, text)))
		return;
	check_frame(provider, call, text);
	check_requests(provider, call);
}
