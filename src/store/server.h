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
	bool		may_read_keys;	/* may its keys stand in files and variables of the machine?
								 * Its owner says where they go. */
	char	   *provider;		/* as in the option, always set */

	char	   *base_url;
	char	   *model;
	char	   *api_version;
	char	   *organization;
	char	   *project;
	char	   *completion_window;
	char	   *auth;			/* how the key is sent: x-api-key, bearer */
	char	   *prompt_cache;	/* off, 5m, 1h */
	char	   *endpoint;		/* chat, responses: where prompts and messages go */
	char	   *metadata;		/* on, off: may a batch carry ours? */
	char	   *authority_url;	/* where tokens are had for a client's secret */
	char	   *token_scope;
	char	   *region;			/* AWS */
	char	   *location;		/* Google: a region, a multi-region or global */
	char	   *role_arn;		/* that the provider takes on to reach the storage */
	char	   *storage_url;	/* s3://bucket/prefix, gs://bucket/prefix */
	char	   *storage_base_url;	/* of a store that is not the vendor's own */
	char	   *storage_style;	/* virtual, path: where a bucket's name stands */
	char	   *storage_kms_key;
	char	   *storage_owner;	/* the account that the bucket must belong to */
	char	   *storage_create; /* on, off: make a missing bucket? */
	char	   *runtime_base_url;	/* of real-time calls: not used for batches */
	char	   *request_labels; /* on, off: may a request carry ours? */
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
	bool		may_use_host;	/* may it mean keys that the machine has: its environment, its
								 * files, its metadata service? */
	BiKeyRef	key;
} BiServer;

/*
 * The server with the mapping of user (or PUBLIC's), palloc'd in the current
 * context; NULL where there is no such server or it is not one of our wrapper's.
 * Needs a transaction.
 */
extern BiServer *bi_server_load(Oid server, Oid user);

/* Oid by name, InvalidOid if there is none of our wrapper. */
extern Oid	bi_server_find(const char *name);

/* The same for a name that a user gave: ereports where there is no such server, where
 * it is of another wrapper, and where user lacks USAGE. */
extern Oid	bi_server_require(const char *name, Oid user);

/* The option "provider" of a server that bi_server_find gave, palloc'd.  Needs a transaction. */
extern char *bi_server_provider(Oid server);

/* True if any user, or PUBLIC, has a mapping for the server.  Needs a transaction. */
extern bool bi_server_has_mappings(Oid server);

/* May user use it?  (USAGE.)  false also where it is gone. */
extern bool bi_server_usable(Oid server, Oid user);

/* Why user may use it with that mapping no more, NULL where that is not so.  Cheap: no option
 * is read. */
extern const char *bi_server_lost(Oid server, Oid mapping, Oid user);

/* '200MB' (PostgreSQL's units: B, kB, MB, GB, TB, powers of 1024) or '200000000' as bytes
 * or a count; -1 if it is neither. */
extern int64 bi_server_parse_size(const char *text);

#endif							/* BI_SERVER_H */
