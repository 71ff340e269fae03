/*
 * provider/google/google_secret.c: which credentials of Google's a user mapping means.
 *
 * Knows where a credential can stand, the documents in which Google hands them out, and what must
 * be in them to log in.  Asks nobody over the network.
 *
 * Decided here:
 * - A document is judged when it is read, the key in it too.  What cannot log in is reported before
 *   anything is sent.
 * - The subject token of a file joins the secret here.  So a renewed file is another secret, which
 *   gets a token of its own.  A subject token from an address is a step of the login.
 */
#include "postgres.h"

#include "base/jwt.h"
#include "provider/google/google_document.h"
#include "provider/google/google_secret.h"
#include "provider/proof.h"
#include "provider/words.h"

#define VARIABLE "GOOGLE_APPLICATION_CREDENTIALS"
#define METADATA_HOST "169.254.169.254"
#define NO_HOST "what the machine has may be used where the owner of the server and the user of " \
	"the mapping have privileges of \"pg_read_server_files\""

/* True if the member of that name is a string that is not empty and has no NUL byte in it. */
static bool
is_text(const BiJson *json, const char *name)
{
	size_t		len = 0;
	const char *text = bi_json_string(bi_json_at(json, name, NULL), &len);

	return len > 0 && strlen(text) == len;
}

/* Refusals.  Each function returns why a document cannot log in, a constant, or NULL.  Addresses
 * are checked as all are, once they are asked. */

static const char *
refuse_service_account(const BiJson *document)
{
	char	   *key = bi_json_cstring(bi_json_at(document, "private_key", NULL));
	const char *why;

	if (key == NULL || !is_text(document, "client_email"))
		return "the key file of the service account lacks \"client_email\" or \"private_key\"";
	why = bi_jwt_refuse(key);
	bi_secret_wipe(key);
	return why;
}

static const char *
refuse_user(const BiJson *document)
{
	if (is_text(document, "client_id") && is_text(document, "client_secret") &&
		is_text(document, "refresh_token"))
		return NULL;
	return "the user's credentials lack \"client_id\", \"client_secret\" or \"refresh_token\"";
}

/* A line break in a header would begin a header of its own. */
static const char *
refuse_headers(const BiJson *headers)
{
	void	   *place = NULL;
	const char *name;
	BiJson	   *value;

	while (bi_json_next(headers, &place, &name, &value))
	{
		const char *text = bi_json_string(value, NULL);

		if (!bi_secret_fits(name, strlen(name)) || strchr(name, ':') || text == NULL ||
			!bi_secret_fits(text, strlen(text)))
			return "a header of \"credential_source\" is not a name with a word of visible ASCII "
				"characters";
	}
	return NULL;
}

static const char *
refuse_source(const BiJson *source)
{
	const BiJson *format = bi_json_at(source, "format", NULL);
	const char *type = bi_json_string(bi_json_at(format, "type", NULL), NULL);
	bool		is_json;

	if (!is_text(source, "file") && !is_text(source, "url"))
		return "only a \"credential_source\" with \"file\" or \"url\" is supported: programs, "
			"certificates and AWS are not";
	if (is_text(source, "environment_id"))
		return "a \"credential_source\" of AWS is not supported";
	is_json = bi_words_equal(type, "json") && is_text(format, "subject_token_field_name");
	if (type && !is_json && strcmp(type, "text") != 0)
		return "the format of \"credential_source\" is neither text nor json with a "
			"\"subject_token_field_name\"";
	return refuse_headers(bi_json_at(source, "headers", NULL));
}

static const char *
refuse_external(const BiJson *document)
{
	if (is_text(document, "audience") && is_text(document, "subject_token_type"))
		return refuse_source(bi_json_at(document, "credential_source", NULL));
	return "the configuration of workload identity federation lacks \"audience\" or "
		"\"subject_token_type\"";
}

/* Returns why this document cannot log in, or NULL.  The type that means the machine's own account
 * is not accepted of a document. */
static const char *
refuse_document(const BiJson *document)
{
	static const struct
	{
		const char *type;
		const char *(*refuse) (const BiJson *document);
	}			types[] = {
		{BI_GOOGLE_ACCOUNT, refuse_service_account},
		{BI_GOOGLE_USER, refuse_user},
		{BI_GOOGLE_EXTERNAL, refuse_external},
	};
	const char *type = bi_json_string(bi_json_at(document, "type", NULL), NULL);

	if (type == NULL)
		return "the key is no JSON object with a \"type\", as the files are that Google hands out";
	for (int i = 0; i < lengthof(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return types[i].refuse(document);
	return "only credentials of the types service_account, authorized_user and external_account "
		"are supported";
}

/* Returns the document with the subject token that the file at path has now, palloc'd; NULL, with
 * *why, if there is none. */
static char *
add_subject(const BiJson *document, const char *path, const BiHost *host, char **why)
{
	const BiJson *source = bi_json_at(document, "credential_source", NULL);
	char	   *text = host ? host->file(path, why) : NULL;
	char	   *token = text ? bi_google_document_subject(source, text, strlen(text)) : NULL;
	StringInfoData out;

	bi_secret_wipe(text);
	if (host == NULL)
		*why = pstrdup(NO_HOST);
	else if (text == NULL)
		*why = psprintf("no subject token: %s", *why);
	else if (token == NULL)
		*why = pstrdup("the file of \"credential_source\" has no subject token in it");
	if (token == NULL)
		return NULL;
	initStringInfo(&out);
	/* Take all memory now: text that grows leaves copies behind, which nobody wipes. */
	enlargeStringInfo(&out, 3 * BI_SECRET_MAX);
	bi_json_append(&out, document);
	out.data[--out.len] = '\0'; /* without its brace */
	appendStringInfoString(&out, ",\"subject_token\":");
	bi_json_append_string(&out, token);
	appendStringInfoChar(&out, '}');
	bi_secret_wipe(token);
	return out.data;
}

/* Returns the secret that a document's text is, palloc'd, or NULL with *why.  Takes over the text,
 * which may be NULL: *why is then set already. */
static char *
take_document(char *text, const BiHost *host, char **why)
{
	BiJson	   *document;
	const char *reason;
	const char *path;

	if (text == NULL)
		return NULL;
	document = bi_json_parse_secret(text, strlen(text));
	reason = refuse_document(document);
	path = bi_google_document_text(bi_json_at(document, "credential_source", NULL), "file");
	if (reason)
		*why = pstrdup(reason);
	if (reason || path)
	{
		bi_secret_wipe(text);
		text = reason ? NULL : add_subject(document, path, host, why);
	}
	bi_secret_wipe_json(document);
	return text;
}

/* Returns the secret of the file that the server's environment names, or NULL with *why. */
static char *
read_environment(const BiHost *host, char **why)
{
	const char *path = host->variable(VARIABLE);

	if (path)
		return take_document(host->file(path, why), host, why);
	*why = pstrdup("environment variable " VARIABLE " is not set for the server");
	return NULL;
}

/* Returns the secret that means the machine's own account, palloc'd, or NULL with *why. */
static char *
name_instance(const BiHost *host, char **why)
{
	const char *name = host->variable("GCE_METADATA_HOST");
	bool		whole = name && strstr(name, "://");
	char	   *url;

	if (name && !bi_secret_fits(name, strlen(name)))
	{
		*why = pstrdup("environment variable GCE_METADATA_HOST has characters other than visible "
					   "ASCII in it");
		return NULL;
	}
	url = psprintf("%s%s", whole ? "" : "http://", name ? name : METADATA_HOST);
	return bi_proof_object("type", BI_GOOGLE_INSTANCE, "url", url, NULL);
}

/* True if the mapping has a document. */
static bool
has_key(const BiKeyRef *key)
{
	return key->service_account || key->service_account_file;
}

char *
bi_google_secret_find(const BiServer *server, const BiHost *host, char **why)
{
	const BiKeyRef *key = &server->key;
	const char *source = key->credential_source;

	if (has_key(key) && (source == NULL || strcmp(source, "static") == 0))
		return take_document(bi_secret_read(key, why), host, why);
	if (source && (strcmp(source, "web_identity") == 0 || strcmp(source, "container") == 0))
		*why = psprintf("option \"credential_source\" is \"%s\", which is a source of AWS; "
						"federated identities have a document in option \"service_account\" or "
						"\"service_account_file\"", source);
	else if (source ? strcmp(source, "static") == 0 : host == NULL)
		*why = pstrdup("the user mapping has neither option \"service_account\" nor "
					   "\"service_account_file\"");
	else if (host == NULL)
		*why = pstrdup(NO_HOST);
	else if (source ? strcmp(source, "environment") == 0 : host->variable(VARIABLE) != NULL)
		return read_environment(host, why);
	else
		return name_instance(host, why);
	return NULL;
}
