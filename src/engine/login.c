/*
 * engine/login.c: remembers the tokens that providers gave for keys.
 *
 * One for each server and mapping, together with a hash of the key it was got for: a changed key
 * has no token.  Tokens are never stored and never logged.  bi_drive forgets them when it ends.
 */
#include "postgres.h"

#include "base/secret.h"
#include "common/hashfn.h"
#include "engine/login.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A token is renewed when a quarter of its lifetime is left, but at most this many seconds. */
#define MARGIN_MAX (15 * 60)

/* A renewal that failed is tried again after this time. */
#define AGAIN_MS 60000

/* In TopMemoryContext, until it is dropped. */
typedef struct Token
{
	Oid			server;
	Oid			mapping;
	uint64		key;			/* hash of the secret */
	char	   *token;			/* wiped before it is freed */
	TimestampTz renew_at;
	TimestampTz until;			/* it is no longer good */
} Token;

static List *tokens = NIL;

static uint64
hash(const char *secret)
{
	return hash_bytes_extended((const unsigned char *) secret, strlen(secret), 0);
}

static Token *
lookup(const BiServer *server)
{
	ListCell   *cell;

	foreach(cell, tokens)
	{
		Token	   *token = lfirst(cell);

		if (token->server == server->oid && token->mapping == server->mapping)
			return token;
	}
	return NULL;
}

/* Returns the token of this key if it is still good, or NULL. */
static Token *
lookup_good(const BiServer *server, const char *secret)
{
	Token	   *token = lookup(server);

	if (token == NULL || token->key != hash(secret) || token->until <= GetCurrentTimestamp())
		return NULL;
	return token;
}

char *
bi_login_find(const BiServer *server, const char *secret)
{
	Token	   *token = lookup_good(server, secret);

	if (token == NULL || token->renew_at <= GetCurrentTimestamp())
		return NULL;
	return pstrdup(token->token);
}

char *
bi_login_spare(const BiServer *server, const char *secret)
{
	Token	   *token = lookup_good(server, secret);

	if (token == NULL)
		return NULL;
	token->renew_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), AGAIN_MS);
	return pstrdup(token->token);
}

static void
drop(Token *token)
{
	tokens = list_delete_ptr(tokens, token);
	bi_secret_wipe(token->token);
	pfree(token->token);
	pfree(token);
}

void
bi_login_drop(const BiServer *server)
{
	Token	   *token = lookup(server);

	if (token)
		drop(token);
}

void
bi_login_forget(void)
{
	while (tokens != NIL)
		drop(linitial(tokens));
}

void
bi_login_keep(const BiServer *server, const char *secret, const char *text, int lifetime)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	int			margin = Min(lifetime / 4, MARGIN_MAX);
	Token	   *token;

	bi_login_drop(server);
	token = palloc(sizeof(Token));
	token->server = server->oid;
	token->mapping = server->mapping;
	token->key = hash(secret);
	token->token = pstrdup(text);
	token->until = GetCurrentTimestamp() + lifetime * USECS_PER_SEC;
	token->renew_at = token->until - margin * USECS_PER_SEC;
	tokens = lappend(tokens, token);
	MemoryContextSwitchTo(old);
}
