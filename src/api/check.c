/*
 * api/check.c: batch_check: are address, key and model of a server good?
 *
 * Knows the words of the answer.  The request and the meaning of its reply are
 * the provider's, the network is base/http.c's.  The only exchanges of the house
 * inside a user's statement: interruptible, at most 30 s, free of charge.  Must
 * not raise for what is the provider's or the key's fault.  Called from SQL.
 */
#include "postgres.h"

#include <time.h>

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

#include "base/exchange.h"
#include "base/foreign.h"
#include "base/http.h"
#include "base/secret.h"
#include "provider/registry.h"
#include "store/server.h"

#define CHECK_TIMEOUT_MS (30 * 1000)

/* A provider that needs a moment is asked again, so long. */
#define MOMENT_MS 500
#define PATIENCE_MS (10 * 1000)

typedef struct Finding
{
	const char *status;
	const char *detail;
} Finding;

/* A foreign text in the server encoding, whatever bytes it has. */
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

/* The key was accepted, and the model if there is one and the provider can tell. */
static Finding
judge_success(const BiServer *server, const BiVerdict *verdict)
{
	if (server->model == NULL)
		return (Finding) {"no_model", "the key is good, but the server has no option \"model\": every call of batch_submit must name one"};
	if (verdict->message != NULL)
		return (Finding) {"ok", to_server_text(verdict->message)};
	return (Finding) {"ok", psprintf("the key is good and model \"%s\" is there", to_server_text(server->model))};
}

static Finding
judge_reply(const BiServer *server, const BiExchange *ex, const BiVerdict *verdict)
{
	const char *status = "provider_error";

	if (verdict->kind == BI_OK || verdict->kind == BI_NOT_YET)
		return judge_success(server, verdict);
	if (verdict->kind == BI_DENIED && (verdict->bad_key || ex->status == 401 || ex->status == 403))
		status = "bad_key";
	else if (verdict->kind == BI_ABSENT)
		status = "no_model";
	if (ex->status < 300)		/* what is wrong stands in a good reply */
		return (Finding) {status, to_server_text(verdict->message)};
	return (Finding) {status, to_server_text(psprintf("HTTP status %d: %s", ex->status, verdict->message))};
}

/* No token for the key: what answered, or did not, is not the address of the server. */
static Finding
judge_login(const BiExchange *ex, const BiVerdict *verdict)
{
	bool		replied = ex->transport == BI_TRANSPORT_REPLIED;
	const char *status = replied ? "provider_error" : judge_transport(ex).status;

	if (verdict->kind == BI_DENIED)
		status = "bad_key";
	return (Finding) {status, to_server_text(replied ? psprintf("HTTP status %d: %s", ex->status, verdict->message) : verdict->message)};
}

/* One exchange.  Its headers are wiped by then, or by the reset of its context. */
static void
carry(BiExchange *ex, const char *secret, TimestampTz deadline)
{
	bi_http_run(ex, (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline));
	/* Some providers quote the key that they refuse. */
	bi_exchange_scrub(ex, secret);
}

static BiExchange *
new_exchange(const BiServer *server)
{
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);

	ex->allow_http = server->owner_is_superuser;
	return ex;
}

static void
wipe(void *secret)
{
	bi_secret_wipe(secret);
}

/* However the statement ends, it is in no memory of ours afterwards. */
static char *
guard(char *secret)
{
	(void) bi_foreign_own(CurrentMemoryContext, secret, wipe);
	return secret;
}

/* More requests than any login or check has. */
#define TURNS_MAX 100

/* What proves who we are: the key, or a token for it.  NULL, with *finding, where there is
 * no token to be had. */
static char *
get_proof(const BiProvider *provider, const BiServer *server, char *secret, TimestampTz deadline, Finding *finding)
{
	BiCall		call = {.server = server, .now = (int64) time(NULL)};

	for (int turn = 0; provider->login && turn < TURNS_MAX; turn++)
	{
		BiExchange *ex = new_exchange(server);
		char	   *token = NULL;
		int			lifetime;
		BiVerdict	verdict;

		if (!provider->login(&call, secret, ex))
			return secret;
		carry(ex, secret, deadline);
		verdict = provider->read_login(&call, secret, ex, &token, &lifetime);
		if (verdict.kind != BI_OK)
		{
			*finding = judge_login(ex, &verdict);
			return NULL;
		}
		if (verdict.next == NULL)
			return guard(token);
		call.cursor = guard(verdict.next);
	}
	return secret;
}

/* Is there time to ask again?  Then that moment has passed. */
static bool
wait_a_moment(TimestampTz deadline)
{
	if (TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline) < CHECK_TIMEOUT_MS - PATIENCE_MS)
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, MOMENT_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

static Finding
ask(const BiProvider *provider, const BiServer *server, const char *proof, TimestampTz deadline)
{
	BiCall		call = {.server = server, .now = (int64) time(NULL)};
	Finding		finding = {0};

	for (int turn = 0; turn < TURNS_MAX; turn++)
	{
		BiExchange *ex = new_exchange(server);
		BiVerdict	verdict;

		provider->check(&call, ex);
		provider->authorize(&call, proof, ex);
		carry(ex, proof, deadline);
		if (ex->transport != BI_TRANSPORT_REPLIED)
			return judge_transport(ex);
		verdict = provider->read_check(&call, ex);
		finding = judge_reply(server, ex, &verdict);
		if (verdict.kind == BI_NOT_YET && wait_a_moment(deadline))
			continue;
		if (verdict.kind != BI_OK || verdict.next == NULL)
			break;
		call.cursor = verdict.next;
	}
	return finding;
}

static Finding
ask_provider(const BiProvider *provider, const BiServer *server, char *secret)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CHECK_TIMEOUT_MS);
	Finding		finding = {0};
	char	   *proof = get_proof(provider, server, guard(secret), deadline, &finding);

	return proof ? ask(provider, server, proof, deadline) : finding;
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
				 errmsg("unrecognized provider \"%s\" of server \"%s\"", server->provider, server->name)));
	if (!OidIsValid(server->mapping))
		return (Finding) {"no_user_mapping",
						  psprintf("there is no user mapping for user \"%s\" or for PUBLIC", GetUserNameFromId(user, false))};

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
