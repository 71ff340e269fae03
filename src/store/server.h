/*
 * store/server.h: a foreign server of our wrapper and one user's mapping to it,
 * as a struct.
 */
#ifndef BI_SERVER_H
#define BI_SERVER_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "base/secret.h"

/* Options not set are NULL, or -1 for numbers: a provider's defaults fill them.  Texts
 * are in the server encoding. */
typedef struct BiServer
{
	Oid			oid;
	char	   *name;
	Oid			owner;
	bool		owner_is_superuser;
	bool		may_read_keys;	/* its keys may be in files and variables of the machine */
	char	   *provider;		/* as in the option, always set */

	char	   *base_url;
	char	   *model;
	char	   *api_version;
	char	   *organization;
	char	   *project;
	char	   *completion_window;
	char	   *auth;			/* how the key is sent: x-api-key, bearer */
	char	   *prompt_cache;	/* off, 5m, 1h, auto: see BiSpec.prompt_cache */
	char	   *endpoint;		/* chat, responses: where prompts and messages go */
	char	   *metadata;		/* on, off: whether a batch may have ours */
	char	   *authority_url;	/* gives tokens for a client's secret */
	char	   *token_scope;
	char	   *region;			/* AWS */
	char	   *location;		/* Google: a region, a multi-region or global */
	char	   *role_arn;		/* the role by which the provider reaches the storage */
	char	   *storage_url;	/* s3://bucket/prefix, gs://bucket/prefix */
	char	   *storage_base_url;	/* of a store that is not the vendor's own */
	char	   *storage_style;	/* virtual, path: where the bucket's name is */
	char	   *storage_kms_key;
	char	   *storage_owner;	/* the account that the bucket must belong to */
	char	   *storage_create; /* on, off: whether to make a missing bucket */
	char	   *realtime_model; /* the model that answers single requests, instead of "model" */
	char	   *realtime_base_url;	/* where it does; not for batches */
	char	   *runtime_base_url;	/* the same at Bedrock */
	char	   *request_labels; /* on, off: whether a request may have ours */
	char	   *reasoning_tags; /* names, separated by commas: what models think aloud in */
	int64		max_requests;
	int64		min_requests;
	int64		max_bytes;
	int64		max_batches;
	int64		max_enqueued_tokens;
	int64		max_enqueued_requests;
	int64		max_files;
	int64		poll_interval;	/* seconds */
	int64		expires_after;	/* seconds */
	int64		settle_time;	/* seconds */

	Oid			mapping;		/* InvalidOid: no user mapping for that user */
	List	   *mapping_options;	/* char *: the names of all options that it has */
	bool		may_use_host;	/* it may mean keys that the machine has: environment, files,
								 * metadata service */
	BiKeyRef	key;
} BiServer;

/*
 * Returns the server with the mapping of user (or PUBLIC's), palloc'd in the current context; NULL
 * if there is no such server of our wrapper.  Needs a transaction.
 */
extern BiServer *bi_server_load(Oid server, Oid user);

/* Returns the oid of that name; InvalidOid if our wrapper has no such server. */
extern Oid	bi_server_find(const char *name);

/* The same for a name that a user gave.  Raises an error if there is no such server, if it is of
 * another wrapper, and if user lacks USAGE. */
extern Oid	bi_server_require(const char *name, Oid user);

/* Returns the option "provider" of a server that bi_server_find returned, palloc'd.  Needs a
 * transaction. */
extern char *bi_server_provider(Oid server);

/* True if any user, or PUBLIC, has a mapping for the server.  Needs a transaction. */
extern bool bi_server_has_mappings(Oid server);

/* True if user has USAGE on it; false if it is gone. */
extern bool bi_server_usable(Oid server, Oid user);

/* Returns why user may not use it with that mapping any more; NULL if they may.  Cheap: it reads no
 * option. */
extern const char *bi_server_lost(Oid server, Oid mapping, Oid user);

/* Reads '200MB' (PostgreSQL's units: B, kB, MB, GB, TB, powers of 1024) or '200000000' as bytes or
 * a count.  Returns -1 if it is neither. */
extern int64 bi_server_parse_size(const char *text);

#endif							/* BI_SERVER_H */
