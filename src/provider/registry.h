/*
 * provider/registry.h: the list of providers.
 */
#ifndef BI_REGISTRY_H
#define BI_REGISTRY_H

#include "provider/provider.h"

/* NULL: no such provider. */
extern const BiProvider *bi_registry_find(const char *name);

/* The names for a hint: i-th from 0, NULL at the end. */
extern const char *bi_registry_name(int i);

/* True if a server of this provider may have the option. */
extern bool bi_registry_takes_server_option(const BiProvider *provider, const char *option);

/* True if a user mapping for a server of this provider may have the option. */
extern bool bi_registry_takes_mapping_option(const BiProvider *provider, const char *option);

/* The server's limits, with the provider's defaults where it sets none; model may be NULL. */
extern BiLimits bi_registry_limits(const BiProvider *provider, const BiServer *server,
								   const char *model);

/*
 * Returns the secret that the server's mapping means, palloc'd, or NULL with *why.  A mapping
 * that has an option which the provider does not take gives no secret.  Wipes the references'
 * own secrets.  Needs a transaction.
 */
extern char *bi_registry_secret(const BiProvider *provider, BiServer *server, char **why);

/*
 * Makes a server and what a job asks for those of requests that are answered at once: options
 * realtime_base_url and realtime_model come in the place of base_url and model.  A job that names
 * another model than the server's keeps it.
 */
extern void bi_registry_realtime(BiServer *server, BiSpec *spec);

/* The base URL without a slash at its end. */
extern char *bi_registry_base_url(const BiProvider *provider, const BiServer *server);

#endif							/* BI_REGISTRY_H */
