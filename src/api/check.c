/*
 * api/check.c: batch_check: are address, key and model of a server good?
 *
 * Knows the words of the answer.  The request and the meaning of its reply are
 * the provider's, the network is base/http.c's.  The one exchange of the house
 * inside a user's statement: interruptible, at most 30 s, free of charge.  Must
 * not raise for what is the provider's or the key's fault.  Called from SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/exchange.h"
#include "base/foreign.h"
#include "base/http.h"
#include "base/secret.h"
#include "provider/registry.h"
#include "store/server.h"

#define CHECK_TIMEOUT_MS (30 * 1000)

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

	if (verdict->kind == BI_OK)
		return judge_success(server, verdict);
	if (verdict->kind == BI_DENIED && (ex->status == 401 || ex->status == 403))
		status = "bad_key";
	else if (verdict->kind == BI_ABSENT)
		status = "no_model";
	return (Finding) {status, to_server_text(psprintf("HTTP status %d: %s", ex->status, verdict->message))};
}

/* One exchange: false, with *finding, where no reply came.  Its headers are wiped by then, or
 * by the reset of its context. */
static bool
carry(BiExchange *ex, const char *secret, Finding *finding)
{
	bi_http_run(ex, CHECK_TIMEOUT_MS);
	if (ex->transport != BI_TRANSPORT_REPLIED)
	{
		*finding = judge_transport(ex);
		return false;
	}
	/* Some providers quote the key that they refuse. */
	bi_exchange_scrub(ex, secret);
	return true;
}

static BiExchange *
new_exchange(const BiServer *server)
{
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);

	ex->allow_http = server->owner_is_superuser;
	return ex;
}

/* What proves who we are: the key, or a token for it.  NULL, with *finding, where there is
 * no token to be had. */
static char *
get_proof(const BiProvider *provider, const BiCall *call, char *secret, Finding *finding)
{
	BiExchange *ex = new_exchange(call->server);
	char	   *token = NULL;
	int			lifetime;
	BiVerdict	verdict;

	if (provider->login == NULL || !provider->login(call, secret, ex))
		return secret;
	if (!carry(ex, secret, finding))
		return NULL;
	verdict = provider->read_login(call, ex, &token, &lifetime);
	if (verdict.kind == BI_OK)
		return token;
	*finding = judge_reply(call->server, ex, &verdict);
	return NULL;
}

static Finding
ask(const BiProvider *provider, const BiCall *call, const char *proof)
{
	BiExchange *ex = new_exchange(call->server);
	Finding		finding;
	BiVerdict	verdict;

	provider->check(call, ex);
	provider->authorize(call, proof, ex);
	if (!carry(ex, proof, &finding))
		return finding;
	verdict = provider->read_check(call, ex);
	return judge_reply(call->server, ex, &verdict);
}

static void
wipe(void *secret)
{
	bi_secret_wipe(secret);
}

/* However the statement ends, key and token are in no memory of ours afterwards. */
static Finding
ask_provider(const BiProvider *provider, const BiServer *server, char *secret)
{
	BiCall		call = {.server = server};
	Finding		finding = {0};
	char	   *proof;

	(void) bi_foreign_own(CurrentMemoryContext, secret, wipe);
	proof = get_proof(provider, &call, secret, &finding);
	if (proof == NULL)
		return finding;
	if (proof != secret)
		(void) bi_foreign_own(CurrentMemoryContext, proof, wipe);
	return ask(provider, &call, proof);
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

	secret = bi_secret_read(&server->key, &why);
	bi_secret_wipe(server->key.api_key);
	bi_secret_wipe(server->key.client_secret);
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
