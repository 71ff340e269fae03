/*
 * test/fuzz/target_reply.c: a provider reads a reply.
 *
 * Input: a line "PROVIDER ROUTINE STATUS SHAPE MODEL", header lines, an empty line, the body;
 * behind a line "&& STATUS" the reply to the next request of the same routine, if it goes on.
 * STATUS may be "unsent" or "broken" too; SHAPE (0-15) is one of call.c's, and so is the model
 * where none is given.
 *
 * Whatever the reply: nothing ereports, verdicts have words, what was read is fit for the
 * requests that follow, which go to the same host.
 */
#include "postgres.h"

#include "fuzz.h"
#include "provider/wire.h"

#define HOST "https://host.example"
#define ID_MAX 4096
#define PARTS_MAX 20
#define ROUNDS_MAX 12

typedef struct Asked
{
	const BiProvider *provider;
	const BiProviderBatch *batch;	/* the provider's */
	BiCall	   *call;
	char	   *status;
	FuzzInput	reply;			/* headers and body */
	char	   *next_status;	/* NULL: there are no more replies */
	FuzzInput	rest;
	int			rounds;
} Asked;

/* Nothing that a reply names leads to another host or folder.  Dots lead out of a path only. */
static void
check_request(const BiExchange *ex)
{
	const char *path = pnstrdup(ex->url, strcspn(ex->url, "?"));

	FUZZ_CHECK(pg_strncasecmp(ex->url, HOST, strlen(HOST)) == 0 &&
			   strchr("/?", ex->url[strlen(HOST)]));
	FUZZ_CHECK(strstr(path, "/../") == NULL && strstr(path, "/./") == NULL);
	for (const char *c = ex->url; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~');
}

static void
check_id(const char *id)
{
	FUZZ_CHECK(id && *id);
	fuzz_check_words(id, ID_MAX);
}

static void
check_refs(const List *refs)
{
	ListCell   *lc;

	foreach(lc, refs)
	{
		const BiRef *ref = lfirst(lc);

		FUZZ_CHECK(ref->name && *ref->name && ref->value);
		fuzz_check_utf8(ref->value, ID_MAX);
	}
}

/* The requests that name what was read. */
static void
ask_on(const Asked *asked, char *batch_id, const List *refs)
{
	const BiProvider *provider = asked->provider;
	BiChunk    *chunk = unconstify(BiChunk *, asked->call->chunk);
	BiExchange *ex;
	ListCell   *lc;

	if (batch_id)
		chunk->batch->id = batch_id;
	foreach(lc, refs)
		chunk->batch->refs = bi_ref_set(chunk->batch->refs, ((BiRef *) lfirst(lc))->name,
										((BiRef *) lfirst(lc))->value);
	provider->batch->poll(asked->call, ex = fuzz_exchange());
	check_request(ex);
	provider->batch->cancel(asked->call, ex = fuzz_exchange());
	check_request(ex);
	for (int i = 0; i < PARTS_MAX; i++)
	{
		ex = fuzz_exchange();
		if (!provider->batch->fetch(asked->call, i, ex))
			break;
		check_request(ex);
	}
	for (int i = 0; i < PARTS_MAX; i++)
	{
		ex = fuzz_exchange();
		if (!provider->batch->discard(asked->call, i, ex))
			break;
		check_request(ex);
	}
}

/* Returns the reply of the input to this exchange. */
static BiExchange *
reply_to(const Asked *asked, BiExchange *ex)
{
	return fuzz_reply(ex, asked->status, asked->reply);
}

static void
check_batch(const Asked *asked, const BiBatchReport *batch)
{
	ListCell   *lc;

	FUZZ_CHECK(batch->state >= BI_BATCH_WAITING && batch->state <= BI_BATCH_CANCELLED);
	FUZZ_CHECK(!batch->deferred || batch->state == BI_BATCH_FAILED);
	FUZZ_CHECK(batch->completed >= -1 && batch->failed >= -1);
	foreach(lc, batch->faults)
	{
		const BiFault *fault = lfirst(lc);

		FUZZ_CHECK(fault->code && fault->message && fault->line >= 0);
		fuzz_check_words(fault->code, 2 * BI_WIRE_CODE);
		fuzz_check_words(fault->message, 2 * BI_WIRE_MESSAGE);
	}
	if (batch->id)
		check_id(batch->id);
	check_refs(batch->refs);
	ask_on(asked, batch->id, batch->refs);
}

static void
check_ids(const List *ids)
{
	ListCell   *lc;

	foreach(lc, ids)
		check_id(lfirst(lc));
}

static void
take_reply(Asked *asked, char *status)
{
	asked->status = status;
	asked->reply = fuzz_section(&asked->rest, &asked->next_status);
}

/*
 * Is the same routine to be asked again?  Then its cursor is set, and the next reply comes, or
 * the last one once more; but not for ever.
 */
static bool
goes_on(Asked *asked, BiVerdict verdict)
{
	asked->call->cursor = verdict.next;
	if (verdict.next)
		fuzz_check_utf8(verdict.next, ID_MAX);
	if (asked->next_status)
		take_reply(asked, asked->next_status);
	return verdict.next && ++asked->rounds < ROUNDS_MAX;
}

/* ---- a routine each ---- */

static void
read_login(Asked *asked)
{
	const BiProvider *provider = asked->provider;
	char	   *secret = fuzz_secret(provider, asked->call);
	BiVerdict	verdict;

	do
	{
		BiExchange *ex = fuzz_exchange();
		char	   *token = NULL;
		int			lifetime = 0;

		if (provider->login->request_token == NULL ||
			!provider->login->request_token(asked->call, secret, ex))
			return;
		verdict = provider->login->read_token(asked->call, secret, reply_to(asked, ex), &token,
											  &lifetime);
		if (fuzz_check_verdict(verdict) && verdict.next == NULL)
			FUZZ_CHECK(token && *token && lifetime >= 0);
	} while (goes_on(asked, verdict));
}

/* upload and outputs tell refs. */
static void
read_refs(Asked *asked, void (*ask) (const BiCall *, BiExchange *),
		  BiVerdict (*read) (const BiCall *, const BiExchange *, List **))
{
	BiVerdict	verdict;

	do
	{
		BiExchange *ex = fuzz_exchange();
		List	   *refs = NIL;

		if (ask == NULL)
			return;
		ask(asked->call, ex);
		check_request(ex);
		verdict = read(asked->call, reply_to(asked, ex), &refs);
		if (!fuzz_check_verdict(verdict))
			return;
		check_refs(refs);
		ask_on(asked, NULL, refs);
	} while (goes_on(asked, verdict));
}

static void
read_upload(Asked *asked)
{
	read_refs(asked, asked->batch->upload, asked->batch->read_upload);
}

static void
read_outputs(Asked *asked)
{
	read_refs(asked, asked->batch->outputs, asked->batch->read_outputs);
}

static void
read_create(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();
	BiBatchReport batch;

	asked->batch->create(asked->call, ex);
	if (!fuzz_check_verdict(asked->batch->read_create(asked->call, reply_to(asked, ex), &batch)))
		return;
	FUZZ_CHECK(batch.id);
	check_batch(asked, &batch);
}

static void
read_poll(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();
	BiBatchReport batch;

	asked->batch->poll(asked->call, ex);
	if (fuzz_check_verdict(asked->batch->read_poll(asked->call, reply_to(asked, ex), &batch)))
		check_batch(asked, &batch);
}

/* The page's own cursor asks for the next one. */
static void
read_find(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();
	BiFound		found;

	asked->batch->find(asked->call, NULL, ex);
	if (!fuzz_check_verdict(asked->batch->read_find(asked->call, reply_to(asked, ex), &found)))
		return;
	FUZZ_CHECK(!(found.complete && found.cursor));
	check_ids(found.candidates);
	check_ids(found.pending);
	check_ids(found.twins);
	if (found.batch_id)
	{
		check_id(found.batch_id);
		ask_on(asked, found.batch_id, NIL);
	}
	if (found.cursor)
	{
		char	   *cursor = found.cursor;

		asked->batch->find(asked->call, cursor, ex = fuzz_exchange());
		check_request(ex);
		if (fuzz_check_verdict(asked->batch->read_find(asked->call, reply_to(asked, ex), &found)))
			/* It repeats itself: nothing is certain. */
			FUZZ_CHECK(!found.cursor && !found.complete);
	}
}

static void
read_peek(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();
	bool		ours;

	if (asked->batch->peek == NULL)
		return;
	asked->batch->peek(asked->call, "batch_1", ex);
	(void) fuzz_check_verdict(asked->batch->read_peek(asked->call, reply_to(asked, ex), &ours));
}

static void
read_cancel(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();

	asked->batch->cancel(asked->call, ex);
	(void) fuzz_check_verdict(asked->batch->read_cancel(asked->call, reply_to(asked, ex)));
}

static void
read_fetch(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();

	if (asked->batch->fetch(asked->call, 0, ex))
		(void) fuzz_check_verdict(asked->batch->read_fetch(asked->call, reply_to(asked, ex)));
}

static void
read_discard(Asked *asked)
{
	BiExchange *ex = fuzz_exchange();

	if (asked->batch->discard(asked->call, 0, ex))
		(void) fuzz_check_verdict(asked->batch->read_discard(asked->call, reply_to(asked, ex)));
}

static void
read_check(Asked *asked)
{
	BiVerdict	verdict;

	do
	{
		BiExchange *ex = fuzz_exchange();

		asked->provider->check->request(asked->call, ex);
		verdict = asked->provider->check->read(asked->call, reply_to(asked, ex));
	} while (fuzz_check_verdict(verdict) && goes_on(asked, verdict));
}

static void (*const routines[]) (Asked *asked) =
{
	read_login, read_upload, read_create, read_poll, read_find, read_peek, read_cancel,
	read_outputs, read_fetch,
	read_discard, read_check
};

static const char *const names[] = {
	"login", "upload", "create", "poll", "find", "peek", "cancel", "outputs", "fetch", "discard",
	"check", NULL
};

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	Asked		asked = {.provider = fuzz_provider(fuzz_word(&line))};
	int			routine = fuzz_choose(fuzz_word(&line), names);
	char	   *status = fuzz_word(&line);

	asked.batch = asked.provider->batch;
	asked.call = fuzz_call(asked.provider, &line);
	asked.rest = input;
	take_reply(&asked, status);
	routines[routine] (&asked);
}
