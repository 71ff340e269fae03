/*
 * engine/login.c: remembers the tokens that providers gave for keys.
 *
 * One for each server and mapping, of the key it was had for (known by its hash: a changed
 * key has no token).
 * Never stored, never logged; whoever leaves the loop forgets them.  Called by step.c,
 * react.c and drive.c.
 */
#include "postgres.h"

#include "base/secret.h"
#include "common/hashfn.h"
#include "engine/login.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Renewed when less than this is left: a quarter, and fifteen minutes at most. */
#define MARGIN_MAX (15 * 60)

/* A renewal that failed is tried again after this. */
#define AGAIN_MS 60000

typedef struct Token
{
	Oid			server;
	Oid			mapping;
	uint64		key;
	char	   *token;
	TimestampTz renew_at;
	TimestampTz until;
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

/* The token of this key as long as it is good, or NULL. */
static Token *
lookup_good(const BiServer *server, const char *secret)
{
	Token	   *token = lookup(server);

	return token && token->key == hash(secret) && token->until > GetCurrentTimestamp() ? token : NULL;
}

char *
bi_login_find(const BiServer *server, const char *secret)
{
	Token	   *token = lookup_good(server, secret);

	return token && token->renew_at > GetCurrentTimestamp() ? pstrdup(token->token) : NULL;
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
	Token	   *token;

	bi_login_drop(server);
	token = palloc(sizeof(Token));
	token->server = server->oid;
	token->mapping = server->mapping;
	token->key = hash(secret);
	token->token = pstrdup(text);
	token->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) lifetime * 1000);
	token->renew_at = token->until - (int64) Min(lifetime / 4, MARGIN_MAX) * USECS_PER_SEC;
	tokens = lappend(tokens, token);
	MemoryContextSwitchTo(old);
}
