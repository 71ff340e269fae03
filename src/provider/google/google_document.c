/*
 * provider/google/google_document.c: the JSON documents in which Google hands out credentials.
 *
 * Knows how a member is read and where a subject token stands.  Which members a document must
 * have, google_secret.c knows; what they are used for, google_login.c.
 */
#include "postgres.h"

#include "provider/google/google_document.h"
#include "provider/provider.h"

char *
bi_google_document_text(const BiJson *json, const char *name)
{
	const BiJson *member = bi_json_at(json, name, NULL);
	char	   *text = bi_json_string(member, NULL) ? bi_json_cstring(member) : NULL;

	return text && *text ? text : NULL;
}

char *
bi_google_document_subject(const BiJson *source, const char *text, size_t len)
{
	const BiJson *format = bi_json_at(source, "format", NULL);
	char	   *field = bi_google_document_text(format, "subject_token_field_name");
	BiJson	   *json = field ? bi_json_parse_secret(text, len) : NULL;
	char	   *token = field ? bi_google_document_text(json, field) : pnstrdup(text, len);

	bi_secret_wipe_json(json);
	if (token == NULL)
		return NULL;
	for (size_t end = strlen(token); end > 0 && strchr(" \t\r\n", token[end - 1]); end--)
		token[end - 1] = '\0';
	return bi_secret_fits(token, strlen(token)) ? token : NULL;
}
