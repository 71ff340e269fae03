/*
 * provider/registry.c: the list of providers, and the defaults that each one brings.
 *
 * A new provider is its own folder or file, and one line here.
 */
#include "postgres.h"

#include "provider/anthropic/anthropic.h"
#include "provider/aws/bedrock.h"
#include "provider/google/gemini.h"
#include "provider/google/vertex.h"
#include "provider/openai/azure.h"
#include "provider/openai/openai.h"
#include "provider/registry.h"
#include "provider/wire.h"
#include "provider/words.h"

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

/* Options of a server that every provider takes. */
static const char *const common_options[] = {
	"provider", "base_url", "model", "max_requests", "min_requests", "max_bytes", "max_batches",
	"max_enqueued_tokens", "max_enqueued_requests", "max_files", "poll_interval", "settle_time",
	"reasoning_tags", "realtime_model", NULL
};

bool
bi_registry_takes_server_option(const BiProvider *provider, const char *option)
{
	return bi_words_list(common_options, option) ||
		bi_words_list(provider->defaults.server_options, option);
}

bool
bi_registry_takes_mapping_option(const BiProvider *provider, const char *option)
{
	return bi_words_list(provider->defaults.mapping_options, option);
}

static int64
or_default(int64 set, int64 otherwise)
{
	return set >= 0 ? set : otherwise;
}

BiLimits
bi_registry_limits(const BiProvider *provider, const BiServer *server, const char *model)
{
	BiLimits	limits = provider->defaults.limits;

	if (provider->defaults.limit_model && model)
		provider->defaults.limit_model(model, &limits);
	limits.max_requests = or_default(server->max_requests, limits.max_requests);
	limits.min_requests = or_default(server->min_requests, limits.min_requests);
	limits.max_bytes = or_default(server->max_bytes, limits.max_bytes);
	limits.max_batches = or_default(server->max_batches, limits.max_batches);
	limits.max_enqueued_tokens =
		or_default(server->max_enqueued_tokens, limits.max_enqueued_tokens);
	limits.max_enqueued_requests =
		or_default(server->max_enqueued_requests, limits.max_enqueued_requests);
	limits.max_files = or_default(server->max_files, limits.max_files);
	limits.poll_interval = or_default(server->poll_interval, limits.poll_interval);
	limits.expires_after = or_default(server->expires_after, limits.expires_after);
	limits.settle_time = or_default(server->settle_time, limits.settle_time);
	return limits;
}

/* True if the key stands outside of the database. */
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
	for (const char *const *name = provider->defaults.mapping_options; *name; name++)
		appendStringInfo(&valid, "%s\"%s\"", valid.len > 0 ? ", " : "", *name);
	return psprintf("the user mapping has option \"%s\", which provider \"%s\" does not take;"
					" valid options are %s",
					stray, provider->name, valid.data);
}

char *
bi_registry_secret(const BiProvider *provider, BiServer *server, char **why)
{
	const BiHost *host = server->may_use_host ? &bi_secret_host : NULL;
	char	   *secret = NULL;

	*why = refuse_mapping(provider, server);
	if (*why == NULL && names_file(&server->key) && !server->may_read_keys)
		*why = pstrdup("keys that stand in files or in the environment of the database server are"
					   " used only where the owner of the server has privileges of"
					   " \"pg_read_server_files\"");
	if (*why == NULL)
		secret = provider->login->secret ? provider->login->secret(server, host, why)
			: bi_secret_read(&server->key, why);
	bi_secret_wipe_refs(&server->key);
	return secret;
}

void
bi_registry_realtime(BiServer *server, BiSpec *spec)
{
	if (server->realtime_model && bi_words_equal(spec->model, server->model))
		spec->model = server->realtime_model;
	if (server->realtime_base_url)
		server->base_url = server->realtime_base_url;
}

char *
bi_registry_base_url(const BiProvider *provider, const BiServer *server)
{
	return bi_wire_base_url(server, provider->defaults.base_url ? provider->defaults.base_url : "");
}
