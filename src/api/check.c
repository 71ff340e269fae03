/*
 * api/check.c: batch_check: tries address, key and model of a server.
 *
 * It sends requests that cost nothing: a login where the provider has one, then the provider's
 * check. The provider's table knows the requests and what the replies mean; this file knows the
 * words of the answer.  What is the fault of the provider, the key or the network is an answer,
 * never an error.  The exchanges run inside the user's statement (engine/direct.h): they can be
 * interrupted, and take at most 30 s together.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

#include "engine/direct.h"
#include "provider/registry.h"
#include "store/server.h"

#define CHECK_TIMEOUT_MS (30 * 1000)

/* A provider that says "not yet" is asked again after a moment, for so long. */
#define MOMENT_MS 500
#define PATIENCE_MS (10 * 1000)

/* More requests than any check has. */
#define REQUESTS_MAX 100

/* The row that is returned.  Both texts are constant, or live as long as the call. */
typedef struct Finding
{
	const char *status;
	const char *detail;
} Finding;

/* Returns UTF-8 from outside as text in the server encoding, palloc'd.  Bytes that it cannot have
 * become "?". */
static char *
to_server_text(const char *utf8)
{
	char	   *text = pstrdup(utf8);
	bool		keep = GetDatabaseEncoding() == PG_UTF8 &&
		pg_verify_mbstr(PG_UTF8, text, strlen(text), true);

	for (char *p = text; *p != '\0' && !keep; p++)
	{
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	}
	return text;
}

/* What the replies mean */

/* Returns a status with the provider's words, after the HTTP status. */
static Finding
quote_reply(const char *status, const BiExchange *ex, const BiVerdict *verdict)
{
	char	   *words = psprintf("HTTP status %d: %s", ex->status, verdict->message);

	return (Finding) {status, to_server_text(words)};
}

/* For an exchange without a reply. */
static Finding
judge_transport(const BiExchange *ex)
{
	const char *status = "unreachable";

	if (ex->cause == BI_CAUSE_CERTIFICATE)
		status = "bad_certificate";
	else if (ex->cause == BI_CAUSE_CUT || ex->cause == BI_CAUSE_TOO_LARGE)
		status = "provider_error";
	return (Finding) {status, to_server_text(ex->detail ? ex->detail : "no reply")};
}

/* For a key that was accepted, and the model too if there is one and the provider can tell. */
static Finding
judge_success(const BiServer *server, const BiVerdict *verdict)
{
	char	   *words;

	if (server->model == NULL)
		return (Finding) {"no_model", "the key is good, but the server has no option \"model\":"
						  " every call of batch_submit must name one"};
	if (verdict->message != NULL)
		return (Finding) {"ok", to_server_text(verdict->message)};
	words = psprintf("the key is good and model \"%s\" is there", to_server_text(server->model));
	return (Finding) {"ok", words};
}

static Finding
judge_reply(const BiServer *server, const BiExchange *ex, const BiVerdict *verdict)
{
	const char *status = "provider_error";

	if (verdict->kind == BI_VERDICT_OK || verdict->kind == BI_VERDICT_NOT_YET)
		return judge_success(server, verdict);
	if (verdict->kind == BI_VERDICT_DENIED && verdict->bad_key)
		status = "bad_key";
	else if (verdict->kind == BI_VERDICT_ABSENT)
		status = "no_model";
	if (ex->status < 300)		/* a good reply says what is wrong */
		return (Finding) {status, to_server_text(verdict->message)};
	return quote_reply(status, ex, verdict);
}

/*
 * For a login that gave no token.  The verdict has words also if there was no reply: the address
 * was that of the login, which is not always the server's.
 */
static Finding
judge_login(const BiExchange *ex, const BiVerdict *verdict)
{
	bool		has_reply = ex->transport == BI_TRANSPORT_REPLIED;
	const char *status = has_reply ? "provider_error" : judge_transport(ex).status;

	if (verdict->kind == BI_VERDICT_DENIED)
		status = "bad_key";
	if (has_reply)
		return quote_reply(status, ex, verdict);
	return (Finding) {status, to_server_text(verdict->message)};
}

/* The requests */

/* Waits for a moment and returns true, unless the provider has said "not yet" for long enough. */
static bool
wait_a_moment(const BiDirect *direct)
{
	if (bi_direct_left_ms(direct) < CHECK_TIMEOUT_MS - PATIENCE_MS)
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, MOMENT_MS,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

/* Runs the provider's check, which may have several requests. */
static Finding
run_check(const BiDirect *direct, const char *proof)
{
	const BiProvider *provider = direct->provider;
	BiCall		call = bi_direct_call(direct);
	Finding		finding = {0};

	for (int i = 0; i < REQUESTS_MAX; i++)
	{
		BiExchange *ex = bi_direct_exchange(direct, CurrentMemoryContext);
		BiVerdict	verdict;

		provider->check->request(&call, ex);
		provider->login->authorize(&call, proof, ex);
		bi_direct_run(direct, ex, proof);
		if (ex->transport != BI_TRANSPORT_REPLIED)
			return judge_transport(ex);
		verdict = provider->check->read(&call, ex);
		finding = judge_reply(direct->server, ex, &verdict);
		if (verdict.kind == BI_VERDICT_NOT_YET && wait_a_moment(direct))
			continue;
		if (verdict.kind != BI_VERDICT_OK || verdict.next == NULL)
			break;
		call.cursor = verdict.next;
	}
	return finding;
}

static Finding
ask_provider(const BiProvider *provider, const BiServer *server, char *secret)
{
	BiDirect	direct = {provider, server};
	BiExchange *failed = NULL;
	BiVerdict	verdict = {0};
	char	   *proof;

	direct.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CHECK_TIMEOUT_MS);
	proof = bi_direct_login(&direct, bi_direct_guard(secret), &failed, &verdict);
	return proof ? run_check(&direct, proof) : judge_login(failed, &verdict);
}

static Finding
check_server(BiServer *server, Oid user)
{
	const BiProvider *provider = bi_registry_find(server->provider);
	char	   *secret;
	char	   *why;

	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unrecognized provider \"%s\" of server \"%s\"", server->provider,
						server->name)));
	if (!OidIsValid(server->mapping))
	{
		why = psprintf("there is no user mapping for user \"%s\" or for PUBLIC",
					   GetUserNameFromId(user, false));
		return (Finding) {"no_user_mapping", why};
	}
	secret = bi_registry_secret(provider, server, &why);
	if (secret == NULL)
		return (Finding) {"bad_key", why};
	if (server->model != NULL)
		server->model = pg_server_to_any(server->model, strlen(server->model), PG_UTF8);
	return ask_provider(provider, server, secret);
}

PG_FUNCTION_INFO_V1(batchinf_check);

/* batch_check(server name) RETURNS TABLE(status text, detail text): one row.  STRICT. */
Datum
batchinf_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			user = GetUserId();
	BiServer   *server;
	Finding		finding;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	InitMaterializedSRF(fcinfo, 0);
	server = bi_server_load(bi_server_require(NameStr(*PG_GETARG_NAME(0)), user), user);
	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", NameStr(*PG_GETARG_NAME(0)))));

	finding = check_server(server, user);
	values[0] = CStringGetTextDatum(finding.status);
	values[1] = CStringGetTextDatum(finding.detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}
