/*
 * test/fuzz/target_secret.c: what a user mapping means, and the login that follows.
 *
 * Input: a line "PROVIDER SOURCE STATUS", SOURCE being the option credential_source; a line
 * "NAME VALUE" for each variable of the server's environment, an empty line; a line that is
 * the document of a service account, one that is each file's text; the reply to every request
 * of the login.
 *
 * No reason quotes a document or a file, and what is made of them may go into a header.  None of
 * our words has a tilde: where one stands in a reason it came from there.
 */
#include "postgres.h"

#include "fuzz.h"

#define ROUNDS_MAX 4

static FuzzInput variables;
static char *text_of_files;

/* The last line of that name; the names are few. */
static const char *
variable(const char *name)
{
	FuzzInput	all = variables;
	const char *found = NULL;

	while (all.len > 0)
	{
		char	   *line = fuzz_line(&all);

		if (strcmp(fuzz_word(&line), name) == 0)
			found = *line ? line + 1 : line;
	}
	return found;
}

static char *
file(const char *path, char **why)
{
	if (*path != '\0')
		return pstrdup(text_of_files);
	*why = pstrdup("no such file");
	return NULL;
}

static const BiHost host = {variable, file};

static void
log_in(const BiProvider *provider, BiCall *call, const char *secret, const char *status,
	   FuzzInput reply)
{
	for (int i = 0; i < ROUNDS_MAX; i++)
	{
		BiExchange *ex = fuzz_exchange();
		char	   *token = NULL;
		int			lifetime = 0;
		BiVerdict	verdict;

		if (provider->login->request_token == NULL ||
			!provider->login->request_token(call, secret, ex))
			return;
		FUZZ_CHECK(ex->method && ex->url);
		verdict = provider->login->read_token(call, secret, fuzz_reply(ex, status, reply), &token,
											  &lifetime);
		if (!fuzz_check_verdict(verdict))
			return;
		if (verdict.next == NULL)
		{
			FUZZ_CHECK(token && *token && lifetime >= 0);
			provider->batch->poll(call, ex = fuzz_exchange());
			provider->login->authorize(call, token, ex);
			return;
		}
		call->cursor = verdict.next;
	}
}

/* The lines up to an empty one. */
static FuzzInput
take_lines(FuzzInput *input)
{
	FuzzInput	lines = *input;

	while (*fuzz_line(input) != '\0')
		continue;
	lines.len -= input->len;
	return lines;
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	const BiProvider *provider = fuzz_provider(fuzz_word(&line));
	static const char *const sources[] =
		{"-", "static", "environment", "web_identity", "container", "instance", NULL};
	int			source = fuzz_choose(fuzz_word(&line), sources);
	char	   *status = fuzz_word(&line);
	BiCall	   *call = fuzz_call(provider, &line);
	BiServer   *server = unconstify(BiServer *, call->server);
	char	   *document;
	char	   *why = NULL;
	char	   *secret;

	if (provider->login->secret == NULL)
		return;
	variables = take_lines(&input);
	document = fuzz_line(&input);
	text_of_files = fuzz_line(&input);
	memset(&server->key, 0, sizeof(BiKeyRef));
	server->key.credential_source = source > 0 ? pstrdup(sources[source]) : NULL;
	server->key.service_account = *document && source <= 1 ? document : NULL;
	server->may_use_host = true;

	secret = provider->login->secret(server, &host, &why);
	if (secret == NULL)
	{
		FUZZ_CHECK(why);
		fuzz_check_words(why, 2000);
		FUZZ_CHECK(strchr(why, '~') == NULL);
		return;
	}
	(void) provider->login->account(call, secret);
	log_in(provider, call, secret, status, input);
}
