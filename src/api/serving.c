/*
 * api/serving.c: what a server's options must be together.
 *
 * Knows that a server has a provider, and what the provider's table asks of its servers.  Must not
 * repeat a URL: it may hold a password.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "nodes/parsenodes.h"

#include "api/serving.h"
#include "provider/registry.h"
#include "store/server.h"

/* Returns the value of the option of that name; NULL if it is not there. */
static char *
find_value(List *given, const char *name)
{
	ListCell   *cell;

	foreach(cell, given)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

const BiProvider *
bi_serving_provider(List *given)
{
	const char *name = find_value(given, "provider");

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"provider\" is required"),
				 errhint("Use OPTIONS (provider '%s', ...).", bi_registry_name(0))));
	return bi_registry_find(name);
}

static void
need_option(List *given, const char *option, const BiProvider *provider)
{
	if (find_value(given, option) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"%s\" is required for provider \"%s\"", option, provider->name)));
}

static void
check_storage(List *given, const BiProvider *provider)
{
	const char *url = find_value(given, "storage_url");
	const char *prefix = provider->defaults.storage_prefix;

	if (url && prefix && strncmp(url, prefix, strlen(prefix)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"storage_url\""),
				 errdetail("The storage of provider \"%s\" begins with %s.", provider->name,
						   prefix)));
}

static void
check_numbers(List *given, const BiProvider *provider)
{
	const BiLimits *limits = &provider->defaults.limits;
	const char *min = find_value(given, "min_requests");
	const char *max = find_value(given, "max_requests");
	int64		least = min ? bi_server_parse_size(min) : limits->min_requests;
	int64		most = max ? bi_server_parse_size(max) : limits->max_requests;

	if (least > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"min_requests\" must not be greater than option \"max_requests\""),
				 errdetail("Where they are not set, provider \"%s\" has %lld and %lld.",
						   provider->name, (long long) limits->min_requests,
						   (long long) limits->max_requests)));
}

void
bi_serving_check(List *given, const BiProvider *provider)
{
	const char *const *required;

	if (provider->defaults.base_url == NULL)
		need_option(given, "base_url", provider);
	required = provider->defaults.required_options;
	for (int i = 0; required && required[i]; i++)
		need_option(given, required[i], provider);
	check_storage(given, provider);
	check_numbers(given, provider);
}
