/*
 * engine/direct.c: exchanges inside a user's own statement.
 *
 * There a transaction is open while bytes travel, so they are few and have a deadline, and the user
 * can interrupt them at any time.  Nothing is kept for the next statement: no connection, no
 * token.  Knows no provider by name, and not what a statement asks.
 */
#include "postgres.h"

#include <time.h>

#include "base/foreign.h"
#include "base/http.h"
#include "base/secret.h"
#include "engine/direct.h"
#include "utils/timestamp.h"

/* More requests than any login has. */
#define REQUESTS_MAX 100

int
bi_direct_left_ms(const BiDirect *direct)
{
	return (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), direct->deadline);
}

BiExchange *
bi_direct_exchange(const BiDirect *direct, MemoryContext cxt)
{
	BiExchange *ex = bi_exchange_new(cxt);

	ex->allow_http = direct->server->owner_is_superuser;
	return ex;
}

BiCall
bi_direct_call(const BiDirect *direct)
{
	return (BiCall) {
		.provider = direct->provider,
		.server = direct->server,
		.now = (int64) time(NULL)
	};
}

static void
wipe(void *secret)
{
	bi_secret_wipe(secret);
}

char *
bi_direct_guard(char *secret)
{
	(void) bi_foreign_own(CurrentMemoryContext, secret, wipe);
	return secret;
}

void
bi_direct_run(const BiDirect *direct, BiExchange *ex, const char *secret)
{
	bi_http_run(ex, bi_direct_left_ms(direct));
	/* Some providers quote the key that they refuse. */
	bi_exchange_scrub(ex, secret);
}

char *
bi_direct_login(const BiDirect *direct, char *secret, BiExchange **failed, BiVerdict *verdict)
{
	const BiProviderLogin *login = direct->provider->login;
	BiCall		call = bi_direct_call(direct);

	for (int i = 0; login->request_token && i < REQUESTS_MAX; i++)
	{
		BiExchange *ex = bi_direct_exchange(direct, CurrentMemoryContext);
		char	   *token = NULL;
		int			lifetime;

		if (!login->request_token(&call, secret, ex))
			return secret;
		bi_direct_run(direct, ex, secret);
		*verdict = login->read_token(&call, secret, ex, &token, &lifetime);
		*failed = ex;
		if (verdict->kind != BI_VERDICT_OK)
			return NULL;
		if (verdict->next == NULL)
			return bi_direct_guard(token);
		call.cursor = bi_direct_guard(verdict->next);
	}
	return secret;
}
