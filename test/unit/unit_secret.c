/*
 * test/unit/unit_secret.c: what a user mapping means, callable from SQL, on a machine whose
 * environment and files are the test's.
 */
#include "postgres.h"

#include "base/blot.h"
#include "fmgr.h"
#include "unit.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(unit_secret);
PG_FUNCTION_INFO_V1(unit_account);
PG_FUNCTION_INFO_V1(unit_blot);

/* {"variables":{NAME:TEXT…},"files":{PATH:TEXT…}} */
static const BiJson *machine;

static const char *
variable(const char *name)
{
	return bi_json_string(bi_json_at(machine, "variables", name, NULL), NULL);
}

static char *
file(const char *path, char **why)
{
	char	   *text = bi_json_cstring(bi_json_at(machine, "files", path, NULL));

	if (text == NULL)
		*why = pstrdup("could not read file: No such file or directory");
	return text;
}

static void
read_key(const BiJson *json, BiKeyRef *key)
{
	key->api_key = bi_json_cstring(bi_json_at(json, "api_key", NULL));
	key->service_account = bi_json_cstring(bi_json_at(json, "service_account", NULL));
	key->access_key_id = bi_json_cstring(bi_json_at(json, "access_key_id", NULL));
	key->secret_access_key = bi_json_cstring(bi_json_at(json, "secret_access_key", NULL));
	key->session_token = bi_json_cstring(bi_json_at(json, "session_token", NULL));
	key->credential_source = bi_json_cstring(bi_json_at(json, "credential_source", NULL));
}

/* {"server":{…},"key":{OPTION:VALUE…},"host":{…}}; without "host" the mapping has none. */
Datum
unit_secret(PG_FUNCTION_ARGS)
{
	static const BiHost host = {variable, file};
	BiJson	   *json = unit_parse(PG_GETARG_BYTEA_PP(0));
	BiCall	   *call = unit_call_read(json);
	BiServer	server = *call->server;
	const BiProvider *provider = unit_call_provider(server.provider);
	char	   *why = NULL;
	char	   *secret;

	machine = bi_json_at(json, "host", NULL);
	read_key(bi_json_at(json, "key", NULL), &server.key);
	secret = provider->login->secret
		? provider->login->secret(&server, machine ? &host : NULL, &why)
		: bi_secret_read(&server.key, &why);
	PG_RETURN_TEXT_P(cstring_to_text(secret ? secret : psprintf("refused: %s", why)));
}

/* Returns for whose batches a server and a secret stand. */
Datum
unit_account(PG_FUNCTION_ARGS)
{
	BiCall	   *call = unit_call_read(unit_parse(PG_GETARG_BYTEA_PP(0)));
	char	   *secret = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *account = call->provider->login->account(call, secret);

	PG_RETURN_TEXT_P(cstring_to_text(account));
}

/* Returns what is left of a text that quotes the secrets. */
Datum
unit_blot(PG_FUNCTION_ARGS)
{
	BiBlot	   *blot = bi_blot_new(CurrentMemoryContext);
	text	   *given = PG_GETARG_TEXT_PP(1);

	bi_blot_add(blot, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	bi_blot_add(blot, "another-secret");
	PG_RETURN_TEXT_P(cstring_to_text(bi_blot_text(blot, text_to_cstring(given),
												  VARSIZE_ANY_EXHDR(given))));
}
