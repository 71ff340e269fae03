/*
 * provider/aws_secret.c: which credentials a user mapping means.
 *
 * Reads what the mapping has and asks nobody.  Called by the providers that live at AWS.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/aws.h"

static void
add_member(StringInfo out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfoChar(out, out->len > 0 ? ',' : '{');
	bi_json_append_string(out, name);
	appendStringInfoChar(out, ':');
	bi_json_append_string(out, value);
}

char *
bi_aws_secret(const BiServer *server, const BiHost *host, char **why)
{
	const BiKeyRef *key = &server->key;
	StringInfoData out;

	if (server->region == NULL)
		*why = pstrdup("the server has no option \"region\"");
	else if (key->access_key_id == NULL || key->secret_access_key == NULL)
		*why = pstrdup("the user mapping has no options \"access_key_id\" and \"secret_access_key\"");
	else
	{
		initStringInfo(&out);
		/* once and for all: what a growing text leaves behind would not be wiped */
		enlargeStringInfo(&out, 128 * 1024);
		add_member(&out, "AccessKeyId", key->access_key_id);
		add_member(&out, "SecretAccessKey", key->secret_access_key);
		add_member(&out, "Token", key->session_token);
		add_member(&out, "bearer", key->api_key);
		appendStringInfoChar(&out, '}');
		return out.data;
	}
	return NULL;
}
