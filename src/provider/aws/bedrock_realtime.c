/*
 * provider/aws/bedrock_realtime.c: single requests to models of Bedrock.
 *
 * Knows the paths of the runtime, where a model's id or ARN is one part of the path, and what the
 * errors of Converse and InvokeModel mean beyond those of the control plane (source: botocore,
 * bedrock-runtime 2023-09-30 service-2.json, seen 2026-08).
 *
 * Decided here:
 * - A limit of tokens a day has the type of a limit a minute; only its words tell.  It waits for an
 *   hour.
 * - A quota that is used up (400) needs a person.
 * - Counts that an answer lacks are taken from the reply's headers, where some models have them.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/aws/aws.h"
#include "provider/aws/bedrock_line.h"
#include "provider/aws/bedrock_realtime.h"
#include "provider/aws/bedrock_reply.h"
#include "provider/aws/bedrock_spec.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define DAILY_WAIT_MS (60 * 60 * 1000)

/* The most digits of a count in a header. */
#define COUNT_DIGITS 9

/* Returns the address of the runtime's models, with a slash at its end, palloc'd. */
static char *
models_url(const BiServer *server)
{
	const char *base = server->runtime_base_url;

	return psprintf("%s/model/",
					bi_wire_trimmed(base ? base : bi_aws_url(server, "bedrock-runtime")));
}

bool
bi_bedrock_realtime_is(const BiCall *call, const BiExchange *ex)
{
	return bi_words_begin(ex->url, models_url(call->server));
}

void
bi_bedrock_realtime_request(const BiCall *call, BiExchange *ex)
{
	const BiSpec *spec = &call->job->spec;
	bool		converse = bi_words_equal(bi_bedrock_spec_invocation(spec), "Converse");

	bi_exchange_request(ex, "POST", bi_wire_path(models_url(call->server), spec->model,
												 converse ? "/converse" : "/invoke"));
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
}

/* Returns what an error means for a single request. */
static BiVerdictKind
kind_of(const BiExchange *ex, const BiVerdict *verdict)
{
	if (bi_words_equal(verdict->code, "ServiceQuotaExceededException"))
		return BI_VERDICT_DENIED;
	if (bi_words_equal(verdict->code, "ModelErrorException") &&
		bi_json_int(bi_json_at(bi_wire_body(ex), "originalStatusCode", NULL), 500) >= 500)
		return BI_VERDICT_UNCLEAR;
	if (verdict->kind == BI_VERDICT_REFUSED &&
		bi_words_find(verdict->message, "inference profile"))
		return BI_VERDICT_ABSENT;
	return verdict->kind;
}

/* Returns the count of a header; -1 if it is missing or not a count. */
static int64
header_count(const BiExchange *ex, const char *name)
{
	const char *text = bi_exchange_reply_header(ex, name);
	size_t		digits = text ? strspn(text, "0123456789") : 0;

	if (digits == 0 || digits > COUNT_DIGITS || text[digits] != '\0')
		return -1;
	return strtoll(text, NULL, 10);
}

BiVerdict
bi_bedrock_realtime_read(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	BiVerdict	verdict = bi_bedrock_reply_verdict(ex);
	BiAnswer   *answer = &line->answer;
	BiJson	   *body = bi_answer_open(call, ex, &verdict, line);

	if (verdict.kind != BI_VERDICT_OK)
	{
		bi_verdict_change(&verdict, ex, kind_of(ex, &verdict));
		if (verdict.kind == BI_VERDICT_DEFER && bi_words_find(verdict.message, "per day"))
			verdict.wait_ms = DAILY_WAIT_MS;
		return verdict;
	}
	bi_bedrock_line_output(call, answer, body);
	if (answer->input_tokens < 0)
		answer->input_tokens = header_count(ex, "x-amzn-bedrock-input-token-count");
	if (answer->output_tokens < 0)
		answer->output_tokens = header_count(ex, "x-amzn-bedrock-output-token-count");
	return verdict;
}
