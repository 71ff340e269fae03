/*
 * provider/google_secret.c: which credential of Google's a user mapping means.
 *
 * Knows the documents that Google hands out and what must be in them to log in.  Asks
 * nobody.  Called by the providers that live at Google.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/jwt.h"
#include "provider/google.h"

static bool
is_text(const BiJson *document, const char *name)
{
	return bi_json_string(bi_json_at(document, name, NULL), NULL) != NULL;
}

static const char *
refuse_service_account(const BiJson *document)
{
	char	   *key = bi_json_cstring(bi_json_at(document, "private_key", NULL));
	const char *why = NULL;

	if (key == NULL || !is_text(document, "client_email"))
		return "the key file lacks \"client_email\" or \"private_key\"";
	why = bi_jwt_refuse(key);
	bi_secret_wipe(key);
	return why;
}

/* What is wrong with this document, or NULL. */
static const char *
refuse_document(const char *text)
{
	BiJson	   *document = bi_json_parse(text, strlen(text));
	const char *type = bi_json_string(bi_json_at(document, "type", NULL), NULL);

	if (type && strcmp(type, "service_account") == 0)
		return refuse_service_account(document);
	return "the key is no key file of Google: a JSON object with a \"type\"";
}

char *
bi_google_secret(const BiServer *server, const BiHost *host, char **why)
{
	char	   *secret = bi_secret_read(&server->key, why);
	const char *reason = secret ? refuse_document(secret) : NULL;

	if (reason == NULL)
		return secret;
	bi_secret_wipe(secret);
	*why = pstrdup(reason);
	return NULL;
}
