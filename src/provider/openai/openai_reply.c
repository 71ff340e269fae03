/*
 * provider/openai/openai_reply.c: what OpenAI's replies mean.
 *
 * Knows the error bodies and codes of OpenAI, of Azure OpenAI and of the many servers like them,
 * as they really send them: any member may be null, missing or of a wrong type.  What a status
 * means by itself is verdict.c's.  Knows no request and no batch.
 *
 * Decided here:
 * - 429 with a code of money is DENIED: a person must act.  Any other 429 is DEFER.
 * - Azure's quotas of files (400 quotaExceeded) and tokens (400, or a failed batch, with
 *   token_limit_exceeded) are waits.
 * - A file that Azure still looks at is NOT_YET, and the create call is tried again.  A file that
 *   went wrong there, or that nobody sees, is ABSENT, and it is uploaded again.
 */
#include "postgres.h"

#include "provider/openai/openai_reply.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define TOKENS "token_limit_exceeded"

/* True if this code is one of money or quota, which only a person can change. */
static bool
is_billing(const char *code)
{
	static const char *const codes[] = {
		"insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
		"project_spend_limit_exceeded", "organization_usage_limit_exceeded",
		"billing_hard_limit_reached", "billing_not_active", NULL
	};

	return bi_words_list_anycase(codes, code);
}

bool
bi_openai_reply_is_transient(const char *code, const char *message)
{
	static const char *const codes[] = {
		TOKENS, "rate_limit_exceeded", "rate_limit_error", "slow_down", "too_many_requests",
		"server_error", "internal_error", "internal_server_error", "server_is_overloaded",
		"overloaded", "service_unavailable", "service_unavailable_error", "request_timeout", NULL
	};
	static const char *const words[] = {
		"enqueued", "rate limit", "billing", "credit", "quota", "server error", "internal error",
		"overloaded", "service unavailable", "temporarily unavailable", NULL
	};

	return bi_words_list_anycase(codes, code) || is_billing(code) ||
		bi_words_mention(message, words);
}

/* True if nobody sees the file, which may be because it was uploaded just now. */
static bool
is_unseen_file(const char *message)
{
	static const char *const words[] = {
		"cannot find file", "does not have access", "only files with status", NULL
	};

	return bi_words_mention(message, words);
}

/* True if Azure has not yet looked at the file; if that went wrong it never takes it. */
static bool
is_unready_file(const char *message)
{
	return bi_words_find(message, "only files with status") &&
		!bi_words_find(message, "'error' state");
}

/* True if there is no room for this batch (tokens) or file now: Azure says so with 400. */
static bool
is_full(const char *code)
{
	static const char *const codes[] = {TOKENS, "quotaExceeded", NULL};

	return bi_words_list_anycase(codes, code);
}

/* Returns the kind: the words may say what the status does not. */
static BiVerdictKind
kind_of(const BiExchange *ex, const BiVerdict *verdict, const char *code, const char *type)
{
	if (ex->status == 429)
		return is_billing(code) || is_billing(type) ? BI_VERDICT_DENIED : BI_VERDICT_DEFER;
	if (verdict->kind != BI_VERDICT_REFUSED || ex->status == 413)
		return verdict->kind;
	if (is_billing(code))
		return BI_VERDICT_DENIED;
	if (is_full(code))
		return BI_VERDICT_DEFER;
	if (is_unready_file(verdict->message))
		return BI_VERDICT_NOT_YET;
	return is_unseen_file(verdict->message) ? BI_VERDICT_ABSENT : BI_VERDICT_REFUSED;
}

/* True if the request went to /files, /batches or the like of the host itself: OpenAI's own
 * address, and that of servers like it, ends in /v1. */
static bool
lacks_version(const BiExchange *ex)
{
	static const char *const roots[] = {
		"/files", "/batches", "/models", "/chat/completions", "/responses", "/embeddings"
	};
	const char *host = ex->url ? strstr(ex->url, "://") : NULL;
	const char *path = host ? strchr(host + 3, '/') : NULL;

	for (int i = 0; path && i < lengthof(roots); i++)
		if (bi_words_begin(path, roots[i]))
			return true;
	return false;
}

BiVerdict
bi_openai_reply_verdict(const BiExchange *ex)
{
	BiVerdict	verdict = bi_verdict_read(ex);
	const BiJson *error;
	char	   *code;
	char	   *type;

	if (ex->transport != BI_TRANSPORT_REPLIED || (ex->status >= 200 && ex->status <= 399))
		return verdict;
	error = bi_verdict_error_of(bi_wire_body(ex));
	code = bi_wire_json_words(bi_json_at(error, "code", NULL), BI_WIRE_CODE);
	type = bi_wire_json_words(bi_json_at(error, "type", NULL), BI_WIRE_CODE);
	if (bi_words_find(ex->body.data, TOKENS))	/* it may stand anywhere */
		verdict.code = code = pstrdup(TOKENS);
	bi_verdict_change(&verdict, ex, kind_of(ex, &verdict, code, type));
	if (ex->status == 404 && lacks_version(ex))
		verdict.message = psprintf("%s (base_url has no path; should it end in /v1?)",
								   verdict.message);
	return verdict;
}
