/*
 * provider/registry.c: the list of providers, and the defaults that each one brings.
 *
 * A new provider is its own file and one line here.  Called by api/ and engine/.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/azure.h"
#include "provider/bedrock.h"
#include "provider/gemini.h"
#include "provider/openai.h"
#include "provider/registry.h"
#include "provider/vertex.h"
#include "provider/wire.h"

static const BiProvider *const providers[] = {
	&bi_openai,
	&bi_azure,
	&bi_anthropic,
	&bi_bedrock,
	&bi_vertex,
	&bi_gemini,
};

const BiProvider *
bi_registry_find(const char *name)
{
	for (int i = 0; i < lengthof(providers); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

const char *
bi_registry_name(int i)
{
	return i >= 0 && i < lengthof(providers) ? providers[i]->name : NULL;
}

/* What every provider takes of a server. */
static const char *const common_options[] = {
	"provider", "base_url", "model", "max_requests", "min_requests", "max_bytes", "max_batches",
	"max_enqueued_tokens", "max_enqueued_requests", "max_files", "poll_interval", "settle_time",
	"reasoning_tags", NULL
};

static bool
is_among(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool
bi_registry_takes_server_option(const BiProvider *provider, const char *option)
{
	return is_among(common_options, option) || is_among(provider->server_options, option);
}

bool
bi_registry_takes_mapping_option(const BiProvider *provider, const char *option)
{
	return is_among(provider->mapping_options, option);
}

static int64
or_default(int64 set, int64 otherwise)
{
	return set >= 0 ? set : otherwise;
}

BiLimits
bi_registry_limits(const BiProvider *provider, const BiServer *server, const char *model)
{
	BiLimits	limits = provider->limits;

	if (provider->limit_model && model)
		provider->limit_model(model, &limits);
	limits.max_requests = or_default(server->max_requests, limits.max_requests);
	limits.min_requests = or_default(server->min_requests, limits.min_requests);
	limits.max_bytes = or_default(server->max_bytes, limits.max_bytes);
	limits.max_batches = or_default(server->max_batches, limits.max_batches);
	limits.max_enqueued_tokens = or_default(server->max_enqueued_tokens, limits.max_enqueued_tokens);
	limits.max_enqueued_requests = or_default(server->max_enqueued_requests, limits.max_enqueued_requests);
	limits.max_files = or_default(server->max_files, limits.max_files);
	limits.poll_interval = or_default(server->poll_interval, limits.poll_interval);
	limits.expires_after = or_default(server->expires_after, limits.expires_after);
	limits.settle_time = or_default(server->settle_time, limits.settle_time);
	return limits;
}

static bool
names_file(const BiKeyRef *key)
{
	return key->api_key_file || key->api_key_env || key->service_account_file;
}

/*
 * The DDL that made mapping and server refuses such options, but a dump, an update of the
 * extension or two sessions at once can bring them together.  Returns the reason, or NULL.
 */
static char *
refuse_mapping(const BiProvider *provider, const BiServer *server)
{
	StringInfoData valid;
	const char *stray = NULL;
	ListCell   *cell;

	foreach(cell, server->mapping_options)
	{
		if (stray == NULL && !bi_registry_takes_mapping_option(provider, lfirst(cell)))
			stray = lfirst(cell);
	}
	if (stray == NULL)
		return NULL;
	initStringInfo(&valid);
	for (const char *const *name = provider->mapping_options; *name; name++)
		appendStringInfo(&valid, "%s\"%s\"", valid.len > 0 ? ", " : "", *name);
	return psprintf("the user mapping has option \"%s\", which provider \"%s\" does not take; valid options are %s",
					stray, provider->name, valid.data);
}

char *
bi_registry_secret(const BiProvider *provider, BiServer *server, char **why)
{
	const BiHost *host = server->may_use_host ? &bi_secret_host : NULL;
	char	   *secret = NULL;

	*why = refuse_mapping(provider, server);
	if (*why == NULL && names_file(&server->key) && !server->may_read_keys)
		*why = pstrdup("keys that stand in files or in the environment of the database server are used only where the owner of the server has privileges of \"pg_read_server_files\"");
	if (*why == NULL)
		secret = provider->secret ? provider->secret(server, host, why) : bi_secret_read(&server->key, why);
	bi_secret_wipe_refs(&server->key);
	return secret;
}

char *
bi_registry_base_url(const BiProvider *provider, const BiServer *server)
{
	return bi_wire_base_url(server, provider->base_url ? provider->base_url : "");
}
