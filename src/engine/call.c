/*
 * engine/call.c: a step's calls of the provider.
 *
 * Sends an exchange with what proves who we are, and takes its reply.  Some providers want a token
 * in place of the key: then a login goes first, of one request or of several, and the exchange
 * follows when the token is here.  login.c keeps tokens for the next exchanges.  Each exchange has
 * its own login under way, so that one step can have many of them.
 *
 * Knows no provider by name, and not what a reply means: that is for the move that asked.
 */
#include "postgres.h"

#include <time.h>

#include "base/crash.h"
#include "base/secret.h"
#include "engine/call.h"
#include "engine/login.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Give up a series after this many requests: listings have up to a thousand entries a page. */
#define SERIES_MAX 1000

/* Hands ex to http.c: the exchange's own request, or its login.  It is under way from then on,
 * until its reply is here. */
static void
start(BiStepExchange *exchange, BiExchange *ex)
{
	BiStep	   *step = exchange->step;

	exchange->sent_at = GetCurrentTimestamp();
	exchange->unwanted_at = 0;
	exchange->seen_moved = 0;
	BI_CRASH_POINT(bi_state_name(step->saved_state), "send");
	bi_http_start(step->http, ex);
	step->chunk->traffic.requests++;
	/* Not before: http.c never hands back what it could not start. */
	dlist_push_tail(&step->exchanges, &exchange->node);
	exchange->is_under_way = true;
}

/* Sends the request itself, with token or, if that is NULL, with the secret.  The exchange owns
 * token from now on. */
static void
send_request(BiStepExchange *exchange, char *token)
{
	BiStep	   *step = exchange->step;
	BiCall		call = step->call;

	exchange->login = NULL;
	exchange->proof = token;
	if (token)
		bi_blot_add(step->blot, token);
	call.now = (int64) time(NULL);
	step->provider->login->authorize(&call, token ? token : step->secret, exchange->ex);
	start(exchange, exchange->ex);
}

static BiCall
login_call(const BiStepExchange *exchange)
{
	BiCall		call = exchange->step->call;

	call.cursor = exchange->login_cursor;
	call.now = (int64) time(NULL);
	return call;
}

static void
set_login_cursor(BiStepExchange *exchange, char *cursor)
{
	bi_secret_wipe(exchange->login_cursor);
	exchange->login_cursor = cursor;
}

/* Sends a request of the login.  False: this provider takes this key as it is. */
static bool
send_login(BiStepExchange *exchange)
{
	const BiStep *step = exchange->step;
	BiCall		call = login_call(exchange);
	BiExchange *login;

	if (step->provider->login->request_token == NULL)
		return false;
	login = bi_exchange_new(AllocSetContextCreate(exchange->cxt, "batchinf login",
												  ALLOCSET_DEFAULT_SIZES));
	login->owner = exchange;
	login->allow_http = step->server->owner_is_superuser;
	if (!step->provider->login->request_token(&call, step->secret, login))
		return false;
	exchange->login = login;
	start(exchange, login);
	return true;
}

/* There is no new token.  One that is to be renewed goes on being used as long as it is good. */
static void
login_failed(BiStepExchange *exchange, const BiVerdict *verdict)
{
	BiStep	   *step = exchange->step;
	char	   *spare = bi_login_spare(step->server, step->secret);

	if (spare == NULL)
	{
		step->on_unsent(exchange, verdict);
		return;
	}
	ereport(LOG,
			(errmsg("could not renew the login at server \"%s\", which is still good: %s",
					step->server->name, verdict->message)));
	send_request(exchange, spare);
}

/* The provider answered a login: with a token, with a next request, or with a refusal. */
static void
read_login(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiCall		call = login_call(exchange);
	char	   *token;
	int			lifetime;
	BiVerdict	verdict = step->provider->login->read_token(&call, step->secret, exchange->login,
															&token, &lifetime);
	MemoryContext cxt = exchange->login->cxt;

	set_login_cursor(exchange, verdict.kind == BI_VERDICT_OK ? verdict.next : NULL);
	if (verdict.kind != BI_VERDICT_OK)
		login_failed(exchange, &verdict);
	else if (verdict.next == NULL)
	{
		bi_login_keep(step->server, step->secret, token, lifetime);
		BI_CRASH_POINT(bi_state_name(step->saved_state), "login");
		send_request(exchange, token);
	}
	else if (!send_login(exchange))
		elog(ERROR, "the login of server \"%s\" does not end", step->server->name);
	MemoryContextDelete(cxt);
}

void
bi_call_send(BiStepExchange *exchange, BiStepReply on_reply)
{
	BiStep	   *step = exchange->step;
	char	   *token = NULL;

	exchange->on_reply = on_reply;
	if (step->provider->login->request_token)
		token = bi_login_find(step->server, step->secret);
	if (token == NULL && send_login(exchange))
		return;
	send_request(exchange, token);
}

static void
read_reply(void *arg)
{
	BiStepExchange *exchange = arg;

	if (exchange->login)
		read_login(exchange);
	else
		exchange->on_reply(exchange);
}

/* Adds the input that was uploaded and the results that have come, if the provider has answered. */
static void
count_bytes(BiTraffic *traffic, const BiExchange *ex)
{
	if (ex->transport != BI_TRANSPORT_REPLIED)
		return;
	if (ex->has_body && ex->upload)
		traffic->bytes_up += bi_spool_size(ex->upload);
	if (ex->download)
		traffic->bytes_down += bi_spool_size(ex->download);
}

void
bi_call_reply(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiExchange *ex = bi_step_current(exchange);

	dlist_delete(&exchange->node);
	exchange->is_under_way = false;
	count_bytes(&step->chunk->traffic, ex);
	if (!exchange->is_dropped)
	{
		/* Some providers quote the key that they refuse. */
		bi_exchange_scrub(ex, step->secret);
		bi_exchange_scrub(ex, exchange->proof);
		bi_exchange_scrub(ex, exchange->login_cursor);
		BI_CRASH_POINT(bi_state_name(step->saved_state), "reply");
		bi_step_guard(step, read_reply, exchange);
	}
	if (!exchange->is_under_way)
		MemoryContextDelete(exchange->cxt);
}

BiCall
bi_call_of_series(const BiStep *step, const BiSeries *series)
{
	BiCall		call = step->call;

	call.cursor = series->cursor;
	return call;
}

bool
bi_call_next(BiSeries *series, BiVerdict *verdict)
{
	series->cursor = NULL;
	if (verdict->kind != BI_VERDICT_OK || verdict->next == NULL)
		return false;
	series->cursor = pstrdup(verdict->next);
	if (++series->answered < SERIES_MAX)
		return true;
	verdict->kind = BI_VERDICT_UNCLEAR;
	verdict->code = "endless";
	verdict->message = "the provider's pages do not end";
	return false;
}
